// Queues and flow-control keys: how much waits in each, and their being paused.

import { ask, path } from "/page/api.js";
import { button, element, keep, setText, short } from "/page/dom.js";

export function queues({ content, act }) {
  const lines = part("Queues", "No queues", "A queue is made by the first message to it: POST /v2/enqueue/QUEUE/DESTINATION.");
  const keys = part("Flow control", "No flow-control keys", "A key is made by the first message with Upstash-Flow-Control-Key.");
  content.append(element("section", { className: "page" }, ...lines.nodes, ...keys.nodes));

  function part(title, none, how) {
    const body = element("div", { className: "cards" });
    const empty = element("div", { className: "empty" }, element("h2", {}, none), element("p", {}, how));
    return { body, empty, nodes: [element("h1", {}, title), body, empty] };
  }

  async function refresh() {
    const [found, known] = await Promise.all([ask("GET", "/v2/queues"), ask("GET", "/v2/flowControl")]);
    draw(lines, found.map((one) => ({
      name: one.name,
      place: "/v2/queues",
      paused: one.paused,
      waits: one.lag,
      facts: [`${one.lag} not done`, `${one.parallelism} at a time`],
    })));
    draw(keys, known.map((one) => ({
      name: one.flowControlKey,
      place: "/v2/flowControl",
      paused: one.isPaused,
      waits: one.waitListSize,
      facts: [
        `${one.waitListSize} waiting`,
        one.parallelismMax ? `${one.parallelismCount} of ${one.parallelismMax} at a time` : `${one.parallelismCount} under way`,
        one.rateMax ? `${one.rateCount} of ${one.rateMax} in ${one.ratePeriod} s` : "no rate",
        one.isPinnedParallelism || one.isPinnedRate ? "pinned" : "",
      ],
    })));
  }

  function draw({ body, empty }, found) {
    empty.hidden = Boolean(found.length);
    keep(body, found, ({ name }) => name, make, update);
  }

  function make({ name, place }) {
    const at = (verb, done) => () => act("POST", path(place, name, verb), done);
    return element(
      "article",
      { className: "card" },
      element("h2", {}, short(name, 200)),
      element("p", { className: "facts" }),
      element("p", { className: "actions" }, button("Pause", at("pause", "paused")), button("Resume", at("resume", "goes on"))),
    );
  }

  function update(card, { paused, facts }) {
    setText(card.querySelector(".facts"), [paused ? "paused" : "", ...facts].filter(Boolean).join(" · "));
    const [pause, resume] = card.querySelectorAll(".actions button");
    pause.hidden = paused;
    resume.hidden = !paused;
  }

  return { refresh };
}
