// A form for a message to try things with.

import { element } from "/page/dom.js";

const METHODS = ["POST", "GET", "PUT", "PATCH", "DELETE"];
const OPTIONS = [
  ["delay", "Delay", "10s, 1h30m", "Upstash-Delay"],
  ["label", "Label", "", "Upstash-Label"],
  ["retries", "Retries", "3", "Upstash-Retries"],
  ["queue", "Queue", "", null],
  ["cron", "Cron (makes a schedule)", "*/5 * * * *", "Upstash-Cron"],
];

export function publish({ content, act }) {
  const url = element("input", { name: "url", type: "text", required: true, placeholder: "https://example.com/hook", value: "https://example.com/hook", spellcheck: false });
  const method = element("select", { name: "method" }, ...METHODS.map((one) => element("option", {}, one)));
  const body = element("textarea", { name: "body", rows: 6, spellcheck: false, value: '{"hello": "world"}' });
  const type = element("input", { name: "type", value: "application/json", spellcheck: false });
  const more = element("textarea", { name: "headers", rows: 3, spellcheck: false, placeholder: "X-My-Header: value, one on each line" });
  const fields = Object.fromEntries(OPTIONS.map(([name, , placeholder]) => [name, element("input", { name, placeholder, spellcheck: false, autocomplete: "off" })]));
  const form = element(
    "form",
    { className: "card publish", on: { submit: send } },
    element("label", { className: "wide" }, "Destination: a URL, or the name of a URL group", url),
    element("label", {}, "Method", method),
    element("label", {}, "Content-Type", type),
    element("label", { className: "wide" }, "Body", body),
    ...OPTIONS.map(([name, title]) => element("label", {}, title, fields[name])),
    element("label", { className: "wide" }, "Headers to forward", more),
    element("p", { className: "actions wide" }, element("button", { className: "main" }, "Publish")),
  );
  content.append(element("section", { className: "page" }, element("h1", {}, "Publish a test message"), form));

  async function send(event) {
    event.preventDefault();
    const queue = fields.queue.value.trim();
    const start = queue && !fields.cron.value.trim() ? `/v2/enqueue/${encodeURIComponent(queue)}/` : "/v2/publish/";
    const sends = method.value === "GET" ? "" : body.value;
    const answer = await act("POST", start + destination(url.value), ({ messageId, scheduleId }) => (scheduleId ? "schedule made" : messageId ? "published" : "published to the group"), {
      headers: headers(queue),
      body: sends,
    });
    if (answer?.scheduleId) location.hash = "#/schedules";
    else if (answer) location.hash = answer.messageId ? `#/messages/${encodeURIComponent(answer.messageId)}` : "#/messages";
  }

  function headers(queue) {
    const found = { "Content-Type": type.value.trim() || "text/plain", "Upstash-Method": method.value };
    for (const [name, , , header] of OPTIONS) {
      const value = fields[name].value.trim();
      if (header && value) found[header] = value;
    }
    if (queue && fields.cron.value.trim()) found["Upstash-Queue-Name"] = queue;
    for (const line of more.value.split("\n")) {
      const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
      if (name) found[`Upstash-Forward-${name}`] = value;
    }
    return found;
  }

  return { refresh: async () => {} };
}

/** Leave a destination as it is, but for what would end it in this server's own address. */
function destination(text) {
  return text.trim().replaceAll("#", "%23");
}
