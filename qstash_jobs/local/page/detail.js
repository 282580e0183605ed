// One message: where it stands, what happened to it so far, what it holds, and what can be done about it.

import { ask, path } from "/page/api.js";
import { button, element, keep, setText, short, visible } from "/page/dom.js";
import { indent } from "/page/json.js";
import { setState } from "/page/states.js";
import { ago, clock, span } from "/page/time.js";

const WORDS = {
  CREATED: "accepted",
  ACTIVE: "delivery begins",
  RETRY: "will be tried again",
  ERROR: "attempt failed",
  DELIVERED: "delivered",
  FAILED: "given up, now a dead letter",
  CANCEL_REQUESTED: "cancelling was asked for",
  CANCELLED: "cancelled",
};

export function detail({ side, act, tell, close }) {
  let id = "";
  let parts = null;
  let known = null;
  let seen = null;

  function open(wanted) {
    if (wanted === id) return;
    id = wanted;
    parts = null;
    seen = null;
    side.replaceChildren();
  }

  /** Ask for it if anything has happened to any message since; what is due moves nearer anyway. */
  async function refresh(list) {
    const mine = id;
    if (seen === list.seen) {
      if (parts) draw({ ...known, now: list.now });
      return;
    }
    let message;
    try {
      message = await ask("GET", path("/local/messages", mine));
    } catch (error) {
      if (error.status !== 404 || mine !== id) throw error;
      parts = null;
      seen = list.seen;
      side.replaceChildren(bar(), element("div", { className: "empty" }, visible(error.message)));
      return;
    }
    if (mine !== id) return;
    seen = list.seen;
    known = message;
    draw(message);
  }

  function bar(...more) {
    return element(
      "div",
      { className: "bar" },
      ...more,
      button("Close", close, { className: "quiet close", title: "Close (Esc)" }),
    );
  }

  function draw(message) {
    if (!parts) begin(message);
    setState(parts.state, message);
    setText(parts.due, due(message));
    parts.cancel.hidden = message.isSettled;
    parts.retry.hidden = !message.dlqId;
    parts.retry.dataset.id = message.dlqId ?? "";
    keep(parts.events, message.events, (event) => `${event.time}-${event.state}-${message.events.indexOf(event)}`,
      (event) => makeEvent(event, message), () => {});
  }

  function begin(message) {
    parts = {
      state: element("span", { className: "state" }),
      due: element("span", { className: "due" }),
      events: element("ol", { className: "events" }),
      cancel: button("Cancel the message", () => act("DELETE", path("/v2/messages", id), "cancelled")),
      retry: button("Deliver again", retry, { className: "main" }),
    };
    const copy = button("Copy id", () => copyId(), { className: "quiet" });
    side.replaceChildren(
      bar(parts.state, parts.due),
      element("h2", { className: "url" }, element("span", { className: "method" }, short(message.method, 12)), visible(message.url)),
      element("p", { className: "id" }, element("code", {}, message.messageId), copy),
      element("p", { className: "actions" }, parts.cancel, parts.retry),
      facts(message),
      element("h3", {}, "What happened"),
      parts.events,
      element("h3", {}, "Body ", element("small", {}, bytes(message.bodyBytes))),
      text(message.body),
      element("h3", {}, "Headers"),
      headers(message.header),
    );
  }

  async function retry() {
    const answer = await act("POST", path("/v2/dlq/retry", parts.retry.dataset.id), "is delivered again, as a new message");
    if (answer) location.hash = `#/messages/${encodeURIComponent(answer.messageId)}`;
  }

  async function copyId() {
    try {
      await navigator.clipboard.writeText(id);
      tell("copied");
    } catch {
      tell("the browser does not let this page copy", { bad: true });
    }
  }

  return { open, refresh };
}

function due(message) {
  if (message.group !== "waiting" && message.group !== "retrying") return "";
  return message.notBefore > message.now
    ? `due ${ago(message.notBefore, message.now)}, ${clock(message.notBefore, message.now)}`
    : "due, waits for its turn";
}

function facts(message) {
  const known = [
    ["Published", clock(message.createdAt, message.now)],
    ["Retries", `${message.retried} of ${message.maxRetries}`],
    ["Labels", message.labels.join(", ")],
    ["Queue", message.queueName],
    ["URL group", message.topicName],
    ["Schedule", message.scheduleId],
    ["Flow control", message.flowControlKey],
    ["Timeout", message.timeoutSeconds && `${message.timeoutSeconds} s`],
    ["Retry delay", message.retryDelay],
    ["Callback", message.callback],
    ["Failure callback", message.failureCallback],
    ["Kind", message.kind === "message" ? "" : message.kind.replace("_", " ")],
    ["Dead letter", message.dlqId],
  ];
  const shown = known.filter(([, value]) => value);
  return element("dl", {}, ...shown.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, visible(value))]));
}

function makeEvent(event, { now, createdAt }) {
  const made = element(
    "li",
    { data: { state: event.state } },
    element("b", {}, WORDS[event.state] ?? event.state),
    element("time", { title: clock(event.time, now) }, event.time === createdAt ? clock(event.time, now) : `+ ${span(event.time - createdAt)}`),
  );
  if (event.state === "RETRY") made.append(element("p", {}, clock(event.nextDeliveryTime, now)));
  if (event.error && event.state !== "FAILED") made.append(element("p", {}, visible(event.error)));
  if (event.responseStatus !== undefined && event.state !== "FAILED") made.append(answer(event));
  return made;
}

function answer(event) {
  return element(
    "details",
    {},
    element("summary", {}, `answer ${event.responseStatus}`),
    text(event.responseBody),
    Object.keys(event.responseHeader).length ? headers(event.responseHeader) : null,
  );
}

function text({ text: plain, base64, isWhole }) {
  const shown = plain === undefined ? base64 : isWhole ? indent(plain) : plain;
  if (!shown) return element("p", { className: "none" }, "empty");
  return element(
    "div",
    {},
    plain === undefined ? element("p", { className: "none" }, "Not text; in base64:") : null,
    element("pre", { tabIndex: 0 }, visible(shown)),
    isWhole ? null : element("p", { className: "none" }, "The rest is not shown."),
  );
}

function headers(given) {
  const pairs = Object.entries(given ?? {}).flatMap(([name, values]) => values.map((value) => [name, value]));
  if (!pairs.length) return element("p", { className: "none" }, "none");
  return element(
    "dl",
    { className: "headers" },
    ...pairs.flatMap(([name, value]) => [element("dt", {}, visible(name)), element("dd", {}, visible(value))]),
  );
}

function bytes(size) {
  return `${size.toLocaleString("en")} ${size === 1 ? "byte" : "bytes"}`;
}
