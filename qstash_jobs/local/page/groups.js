// The URL groups, each with the endpoints that a message to it goes to.

import { ask } from "/page/api.js";
import { element, keep, setText, short, visible } from "/page/dom.js";

export function groups({ content }) {
  const body = element("div", { className: "cards" });
  const empty = element("div", { className: "empty" }, element("h2", {}, "No URL groups"), element("p", {}, "A group is made by its first endpoint: POST /v2/topics/GROUP/endpoints."));
  content.append(element("section", { className: "page" }, element("h1", {}, "URL groups"), body, empty));

  async function refresh() {
    const found = await ask("GET", "/v2/topics");
    empty.hidden = Boolean(found.length);
    keep(body, found, ({ name }) => name, make, update);
  }

  function make({ name }) {
    return element("article", { className: "card" }, element("h2", {}, short(name, 200)), element("p", { className: "facts" }), element("dl"));
  }

  function update(card, { endpoints, headers }) {
    const [, facts, list] = card.children;
    setText(facts, [count(endpoints.length), ...Object.entries(headers ?? {}).map(([name, values]) => `${visible(name)}: ${visible(values)}`)].join(" · "));
    const drawn = JSON.stringify(endpoints);
    if (list.dataset.drawn === drawn) return;
    list.dataset.drawn = drawn;
    list.replaceChildren(...endpoints.flatMap(({ name, url }) => [
      element("dt", {}, name ? short(name, 200) : "without a name"),
      element("dd", { className: "url" }, short(url)),
    ]));
  }

  const count = (many) => (many ? `${many} ${many === 1 ? "endpoint" : "endpoints"}` : "no endpoints: a message to it goes nowhere");

  return { refresh };
}
