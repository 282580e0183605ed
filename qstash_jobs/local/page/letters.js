// The dead-letter queue: what was given up, why, and its being delivered again.

import { ask, path } from "/page/api.js";
import { button, element, keep, setText, short } from "/page/dom.js";
import { pages } from "/page/pages.js";

// As many as the server gives at once.
const PAGE = 100;

export function letters({ content, act, tell }) {
  const body = element("div", { className: "cards" });
  const empty = element("div", { className: "empty" }, element("h2", {}, "No dead letters"), element("p", {}, "A message that failed for good, after its last retry, is kept here."));
  // Where each page that was turned over begins; the last one is shown.
  let trail = [""];
  let next = "";
  const foot = pages({ newer: () => turn(trail.slice(0, -1)), older: () => turn([...trail, next]) });
  const all = button("Deliver all again", retryAll, { className: "main" });
  content.append(
    element("section", { className: "page" }, element("div", { className: "bar" }, element("h1", {}, "Dead letters"), all), body, empty, foot.node),
  );

  /** The server takes so many at once; those that fail again meanwhile are newer than the cursor. */
  async function retryAll() {
    let count = 0;
    let cursor = "";
    trail = [""];
    do {
      const answer = await act("POST", `/v2/dlq/retry?cursor=${encodeURIComponent(cursor)}`, ({ responses }) => `${count + responses.length} delivered again, as new messages`);
      if (!answer) return;
      count += answer.responses.length;
      cursor = answer.cursor;
    } while (cursor);
  }

  function turn(to) {
    trail = to;
    scrollTo(0, 0);
    refresh().catch((error) => tell(error.message, { bad: true }));
  }

  async function refresh() {
    const from = trail.at(-1);
    const { messages, cursor } = await ask("GET", `/v2/dlq?cursor=${encodeURIComponent(from)}`);
    if (from !== trail.at(-1)) return;
    next = cursor ?? "";
    empty.hidden = Boolean(messages.length) || trail.length > 1;
    all.hidden = !messages.length;
    const first = PAGE * (trail.length - 1) + 1;
    foot.draw({
      says: messages.length ? `${first.toLocaleString("en")} to ${(first + messages.length - 1).toLocaleString("en")}` : "none older",
      hasNewer: trail.length > 1,
      hasOlder: Boolean(cursor),
    });
    if (trail.length === 1) {
      const badge = document.getElementById("letter-count");
      badge.hidden = !messages.length;
      setText(badge, cursor ? `${messages.length}+` : String(messages.length));
    }
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
