// Which view is shown, and its being brought up to date. The address says all: `#/VIEW/ID?FILTERS`.

import { ask, findToken, Refused, session, useToken } from "/page/api.js";
import { button, element, setText } from "/page/dom.js";
import { groups } from "/page/groups.js";
import { letters } from "/page/letters.js";
import { messages } from "/page/messages.js";
import { publish } from "/page/publish.js";
import { queues } from "/page/queues.js";
import { schedules } from "/page/schedules.js";

const VIEWS = { messages, letters, schedules, queues, groups, publish };
const EVERY_MS = 1000;
// A server with much to look through is asked less often.
const SHARE = 10;

const content = document.getElementById("content");
const pulse = document.getElementById("pulse");
const notice = document.getElementById("notice");

let shown = null;
let timer = 0;
let turn = 0;
let hidesNotice = 0;

function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const id = rest.length ? decodeURIComponent(rest.join("/")) : "";
  return { name: Object.hasOwn(VIEWS, name) ? name : "messages", id, filters: new URLSearchParams(query) };
}

function show() {
  const place = readAddress();
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#/${place.name}`;
    if (here) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  if (shown?.name !== place.name) {
    content.replaceChildren();
    shown = { name: place.name, view: VIEWS[place.name]({ content, tell, act }) };
    scrollTo(0, 0);
  }
  shown.view.go?.(place);
  refresh();
}

/** Look again, now and then a second after the answer. */
async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  const began = performance.now();
  let waits = EVERY_MS;
  try {
    if (!session.token) throw new Refused(401, "no token");
    await shown.view.refresh();
    setPulse("live");
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof Refused && error.status === 401) {
      askForToken();
      return;
    }
    setPulse(error instanceof Refused ? "refused" : "no answer", error.message);
    waits *= 2;
  }
  if (mine !== turn || document.hidden) return;
  timer = setTimeout(refresh, Math.max(waits, SHARE * (performance.now() - began)));
}

function setPulse(word, why = "") {
  setText(pulse, word);
  pulse.dataset.state = word;
  pulse.title = why;
}

/** Say something for a while. */
function tell(text, { bad = false } = {}) {
  clearTimeout(hidesNotice);
  notice.textContent = text;
  notice.dataset.kind = bad ? "bad" : "good";
  notice.hidden = false;
  hidesNotice = setTimeout(() => (notice.hidden = true), 6000);
}

/** Do something that changes the server, say how it went, and look again. */
async function act(method, path, done, options) {
  try {
    const answer = await ask(method, path, options);
    tell(typeof done === "function" ? done(answer) : done);
    return answer;
  } catch (error) {
    tell(error.message, { bad: true });
    return null;
  } finally {
    refresh();
  }
}

function askForToken() {
  shown = null;
  setPulse("locked");
  const field = element("input", { type: "password", name: "token", required: true, autocomplete: "off" });
  const enter = (event) => {
    event.preventDefault();
    useToken(field.value.trim());
    show();
  };
  content.replaceChildren(
    element(
      "form",
      { className: "card narrow", on: { submit: enter } },
      element("h1", {}, "Whose messages?"),
      element("p", {}, "This server's tokens are not public. Enter the one that it printed as QSTASH_TOKEN."),
      element("label", {}, "Token", field),
      element("button", { className: "main" }, "Look"),
    ),
  );
  field.focus();
}

function offerUsers() {
  const choice = document.getElementById("user");
  const tokens = session.known.includes(session.token) || !session.token
    ? session.known
    : [session.token, ...session.known];
  if (tokens.length < 2) return;
  tokens.forEach((token, number) => {
    const option = element("option", { value: token }, `${number + 1}`);
    option.selected = token === session.token;
    choice.append(option);
  });
  choice.addEventListener("change", () => {
    useToken(choice.value);
    shown = null;
    if (location.hash === "#/messages") show();
    else location.hash = "#/messages";
  });
  document.getElementById("user-choice").hidden = false;
}

function onKey(event) {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing) {
    const field = content.querySelector("input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "Escape" && shown) {
    shown.view.escape?.();
  }
}

addEventListener("hashchange", show);
addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => document.hidden || (shown && refresh()));

try {
  await findToken();
  offerUsers();
  show();
} catch {
  setPulse("no answer");
  content.replaceChildren(
    element("div", { className: "empty" }, "The server does not answer. ", button("Try again", () => location.reload())),
  );
}
