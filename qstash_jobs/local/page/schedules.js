// The schedules, each with its next time and what became of the last one.

import { ask, path } from "/page/api.js";
import { button, element, keep, setText, short, visible } from "/page/dom.js";
import { ago, clock } from "/page/time.js";

export function schedules({ content, act }) {
  const body = element("div", { className: "cards" });
  const empty = element("div", { className: "empty" }, element("h2", {}, "No schedules"), element("p", {}, "They are made by POST /v2/schedules/DESTINATION with a cron expression, or under Publish."));
  let now = 0;
  content.append(element("section", { className: "page" }, element("h1", {}, "Schedules"), body, empty));

  async function refresh() {
    const [found, time] = await Promise.all([ask("GET", "/v2/schedules"), ask("GET", "/local/clock")]);
    now = time.now;
    empty.hidden = Boolean(found.length);
    keep(body, found, (schedule) => schedule.scheduleId, make, update);
  }

  function make(schedule) {
    const at = (verb, done) => () => act("POST", path("/v2/schedules", schedule.scheduleId, verb), done);
    const remove = () => act("DELETE", path("/v2/schedules", schedule.scheduleId), "removed");
    return element(
      "article",
      { className: "card" },
      element("h2", { className: "url" }, element("span", { className: "method" }, short(schedule.method, 12)), short(schedule.destination)),
      element("p", {}, element("code", { className: "cron" }), element("span", { className: "next" })),
      element("p", { className: "none last" }),
      element("p", { className: "actions" }, button("Pause", at("pause", "paused")), button("Resume", at("resume", "goes on")), button("Remove", remove, { className: "quiet" })),
    );
  }

  function update(card, schedule) {
    setText(card.querySelector(".cron"), visible(schedule.cron));
    setText(card.querySelector(".next"), schedule.isPaused ? "paused" : next(schedule, now));
    const states = Object.values(schedule.lastScheduleStates ?? {}).map((state) => state.toLowerCase().replace("_", " "));
    const last = schedule.lastScheduleTime ? `last ${clock(schedule.lastScheduleTime, now)}: ${states.join(", ") || "nothing published"}` : "has not fired yet";
    setText(card.querySelector(".last"), `${last} · ${visible(schedule.scheduleId)}${schedule.error ? ` · ${visible(schedule.error)}` : ""}`);
    const [pause, resume] = card.querySelectorAll(".actions button");
    pause.hidden = schedule.isPaused;
    resume.hidden = !schedule.isPaused;
  }

  const next = ({ nextScheduleTime: at }, now) => (at ? `next ${clock(at, now)}, ${ago(at, now)}` : "never fires again");

  return { refresh };
}
