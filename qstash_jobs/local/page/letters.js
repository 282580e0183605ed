// The dead-letter queue: what was given up, why, and its being delivered again.

import { ask, path } from "/page/api.js";
import { button, element, keep, setText, short } from "/page/dom.js";

export function letters({ content, act }) {
  const body = element("div", { className: "cards" });
  const empty = element("div", { className: "empty" }, element("h2", {}, "No dead letters"), element("p", {}, "A message that failed for good, after its last retry, is kept here."));
  const foot = element("p", { className: "foot" }, "Older ones are not shown.");
  const all = button("Deliver all again", retryAll, { className: "main" });
  content.append(
    element("section", { className: "page" }, element("div", { className: "bar" }, element("h1", {}, "Dead letters"), all), body, empty, foot),
  );

  function retryAll() {
    act("POST", "/v2/dlq/retry", ({ responses }) => `${responses.length} delivered again, as new messages`);
  }

  async function refresh() {
    const { messages, cursor } = await ask("GET", "/v2/dlq");
    empty.hidden = Boolean(messages.length);
    all.hidden = !messages.length;
    foot.hidden = !cursor;
    const badge = document.getElementById("letter-count");
    badge.hidden = !messages.length;
    setText(badge, cursor ? `${messages.length}+` : String(messages.length));
    keep(body, messages, (letter) => letter.dlqId, make, () => {});
  }

  function make(letter) {
    const why = letter.responseStatus ? `answered ${letter.responseStatus}` : "no answer";
    const said = letter.responseBody ?? letter.responseBodyBase64 ?? "";
    return element(
      "article",
      { className: "card" },
      element("h2", { className: "url" }, element("span", { className: "method" }, short(letter.method, 12)),
        element("a", { href: `#/messages/${encodeURIComponent(letter.messageId)}` }, short(letter.url))),
      element("p", {}, element("b", {}, why), said ? `: ${short(said, 200)}` : ""),
      element("p", { className: "none" }, `${letter.maxRetries} retries allowed · ${letter.dlqId}`),
      element("p", { className: "actions" },
        button("Deliver again", () => act("POST", path("/v2/dlq/retry", letter.dlqId), "is delivered again, as a new message")),
        button("Remove", () => act("DELETE", path("/v2/dlq", letter.dlqId), "removed"), { className: "quiet" })),
    );
  }

  return { refresh };
}
