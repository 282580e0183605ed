// The messages, newest first: filtered by state, URL, label and run; one of them beside the list.

import { ask } from "/page/api.js";
import { button, element, keep, setText, short } from "/page/dom.js";
import { detail } from "/page/detail.js";
import { pages } from "/page/pages.js";
import { GROUPS, setState } from "/page/states.js";
import { ago, clock } from "/page/time.js";

const PAGE = 100;
const RUN = "qj-r-";
const RUNS = 50;

export function messages({ content, tell, act }) {
  let filters = new URLSearchParams();
  let answer = null;
  let asked = "";
  let chosen = "";
  const runs = new Set();

  const tabs = element("div", { className: "tabs", role: "group", ariaLabel: "State" });
  const url = field("url", "URL or message id", "example.com, msg_…");
  const label = field("label", "Label", "any part of it");
  const run = element("select", { name: "run", on: { change: () => setFilter("label", run.value) } });
  const clear = button("Clear", () => go(new URLSearchParams()), { className: "quiet" });
  const bar = element(
    "form",
    { className: "filters", on: { submit: (event) => event.preventDefault() } },
    element("label", {}, "URL", url),
    element("label", {}, "Label", label),
    element("label", {}, "Run", run),
    clear,
  );
  const body = element("tbody");
  const table = element(
    "table",
    { className: "messages" },
    element("caption", { className: "unseen" }, "Messages, newest first"),
    element("thead", {}, element("tr", {}, ...["State", "Destination", "Answer", "When"].map(heading))),
    body,
  );
  const foot = pages({ newer: () => turn(answer.beforeNewer), older: () => turn(answer.beforeOlder) });
  const empty = element("div", { className: "empty" });
  const list = element("section", { className: "list", ariaLabel: "Messages" }, tabs, bar, table, empty, foot.node);
  const side = element("aside", { className: "side", hidden: true, ariaLabel: "One message" });
  content.append(element("div", { className: "split" }, list, side));
  const one = detail({ side, act, tell, close });

  function field(name, title, placeholder) {
    const made = element("input", { type: "search", name, title, placeholder, spellcheck: false, autocomplete: "off" });
    let waits = 0;
    made.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(() => setFilter(name, made.value.trim()), 250);
    });
    return made;
  }

  function setFilter(name, value) {
    const next = new URLSearchParams(filters);
    next.delete("before");
    if (value) next.set(name, value);
    else next.delete(name);
    go(next);
  }

  /** Show those before a message; without one, the newest. */
  function turn(before) {
    const next = new URLSearchParams(filters);
    if (before === null) next.delete("before");
    else next.set("before", before);
    go(next);
    scrollTo(0, 0);
  }

  function go(next, id = chosen) {
    location.hash = address(next, id);
  }

  function close() {
    const from = chosen;
    go(filters, "");
    requestAnimationFrame(() => body.querySelector(`[data-key="${CSS.escape(from)}"] a`)?.focus());
  }

  function arrive(place) {
    filters = place.filters;
    chosen = place.id;
    if (document.activeElement !== url) url.value = filters.get("url") ?? "";
    if (document.activeElement !== label) label.value = filters.get("label") ?? "";
    clear.hidden = ![...filters.keys()].some((name) => name !== "before");
    side.hidden = !chosen;
    content.firstElementChild.classList.toggle("with-side", Boolean(chosen));
    one.open(chosen);
    if (answer) draw();
  }

  async function refresh() {
    const wanted = currentQuery();
    const seen = answer && wanted === asked ? `&seen=${answer.seen}` : "";
    const fresh = await ask("GET", `/local/messages?${wanted}${seen}`);
    if (wanted !== currentQuery()) return;
    answer = { ...(answer ?? {}), ...fresh };
    asked = wanted;
    draw();
    if (chosen) await one.refresh(answer);
  }

  function currentQuery() {
    const query = new URLSearchParams(filters);
    query.set("count", PAGE);
    return query.toString();
  }

  function draw() {
    drawTabs();
    drawRuns();
    keep(body, answer.messages, (message) => message.messageId, makeRow, updateRow);
    const badge = document.getElementById("letter-count");
    badge.hidden = !answer.deadLetters;
    setText(badge, String(answer.deadLetters));
    drawFoot();
  }

  function drawTabs() {
    const group = filters.get("group") ?? "";
    const all = GROUPS.reduce((sum, name) => sum + (answer.counts[name] ?? 0), 0);
    const shown = [{ name: "", word: "all", count: all }].concat(
      GROUPS.map((name) => ({ name, word: name, count: answer.counts[name] ?? 0 })),
    );
    const make = ({ name, word }) => {
      const choose = () => setFilter("group", name);
      return element("button", { type: "button", className: "tab", on: { click: choose } }, element("span", {}, word), element("b"));
    };
    keep(tabs, shown, ({ name }) => name, make, (tab, { name, count }) => {
      tab.setAttribute("aria-pressed", String(group === name));
      setText(tab.lastChild, count.toLocaleString("en"));
    });
  }

  function drawRuns() {
    for (const message of answer.messages) {
      for (const one of message.labels) if (one.startsWith(RUN) && runs.size < RUNS) runs.add(one);
    }
    const now = filters.get("label") ?? "";
    if (now.startsWith(RUN)) runs.add(now);
    const options = [{ value: "", text: "any" }, ...[...runs].map((value) => ({ value, text: short(value, 40) }))];
    keep(run, options, (option) => option.value, () => element("option"), (option, { value, text }) => {
      option.value = value;
      setText(option, text);
    });
    run.value = runs.has(now) ? now : "";
  }

  function makeRow(message) {
    const state = element("span", { className: "state" });
    const link = element("a", { className: "url" });
    const labels = element("span", { className: "labels" });
    const row = element(
      "tr",
      { on: { click: (event) => event.target.closest("a, button") || go(filters, message.messageId) } },
      element("td", {}, state),
      element(
        "td",
        {},
        element("div", { className: "where" }, element("span", { className: "method" }, short(message.method, 12)), link, labels),
      ),
      element("td", { className: "answer" }),
      element("td", { className: "when" }),
    );
    setText(link, short(message.url));
    link.title = short(message.url, 2000);
    keep(labels, tags(message), ([text]) => text, ([text, name]) => tag(text, name), () => {});
    return row;
  }

  function tags(message) {
    const found = message.labels.map((text) => [text, "label"]);
    if (message.queueName) found.push([`queue ${message.queueName}`, ""]);
    if (message.kind !== "message") found.push([message.kind.replace("_", " "), ""]);
    return found;
  }

  function tag(text, name) {
    if (!name) return element("span", { className: "tag" }, short(text, 60));
    return button(short(text, 60), () => setFilter(name, text), { className: "tag", title: "Show only these" });
  }

  function updateRow(row, message) {
    const [state, destination, answered, when] = row.children;
    row.classList.toggle("chosen", message.messageId === chosen);
    setState(state.firstChild, message);
    destination.querySelector("a").href = address(filters, message.messageId);
    const status = message.responseStatus;
    const tries = message.retried ? `${message.retried} of ${message.maxRetries} retries` : "";
    setText(answered, [status === 0 ? "no answer" : status, tries].filter((one) => one !== undefined && one !== "").join(", "));
    const due = message.group === "waiting" || message.group === "retrying";
    setText(when, due && message.notBefore > answer.now ? `due ${ago(message.notBefore, answer.now)}` : ago(message.createdAt, answer.now));
    when.title = clock(message.createdAt, answer.now);
  }

  function drawFoot() {
    const group = filters.get("group");
    const counted = group ? (answer.counts[group] ?? 0) : Object.values(answer.counts).reduce((a, b) => a + b, 0);
    const first = answer.newer + 1;
    const last = answer.newer + answer.messages.length;
    const many = counted.toLocaleString("en");
    table.hidden = !answer.messages.length;
    empty.hidden = Boolean(answer.messages.length);
    const why = !answer.total ? "nothing" : answer.newer ? "nothing older" : "nothing fits";
    if (!answer.messages.length && empty.dataset.why !== why) {
      empty.dataset.why = why;
      empty.replaceChildren(...{ nothing: nothingYet, "nothing older": nothingOlder, "nothing fits": nothingFits }[why]());
    }
    foot.draw({
      says: answer.messages.length ? `${first.toLocaleString("en")} to ${last.toLocaleString("en")} of ${many}` : `of ${many}`,
      hasNewer: answer.newer > 0,
      hasOlder: last < counted,
    });
  }

  const nothingOlder = () => [element("h2", {}, "Nothing older"), element("p", {}, "What was here is not remembered any more.")];
  const nothingFits = () => [
    element("h2", {}, "Nothing fits"),
    element("p", {}, "No message that is remembered passes these filters. "),
    button("Clear the filters", () => go(new URLSearchParams())),
  ];
  const nothingYet = () => [
    element("h2", {}, "No messages yet"),
    element("p", {}, "What is published to this server shows here as it moves along."),
    element("pre", {}, `curl -X POST "${location.origin}/v2/publish/https://example.com/hook" \\\n  -H "Authorization: Bearer $QSTASH_TOKEN" -d hello`),
    element("p", {}, element("a", { className: "button main", href: "#/publish" }, "Publish one here")),
  ];

  return { go: arrive, refresh, escape: () => chosen && close() };
}

function heading(text) {
  return element("th", { scope: "col" }, text);
}

function address(filters, id) {
  const query = filters.toString();
  return `#/messages${id ? `/${encodeURIComponent(id)}` : ""}${query ? `?${query}` : ""}`;
}
