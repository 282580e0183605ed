// Where a long list is looked at, and the ways to its newer and older parts.

import { button, element, setText } from "/page/dom.js";

export function pages({ newer, older }) {
  const text = element("span", { role: "status" });
  const up = button("Newer", () => open(up) && newer());
  const down = button("Older", () => open(down) && older());
  const node = element("p", { className: "foot pages", hidden: true }, text, up, down);

  /** The buttons stay where they are, so that one key turns page after page. */
  function draw({ says, hasNewer, hasOlder }) {
    node.hidden = !hasNewer && !hasOlder;
    setText(text, says);
    // Not `disabled`, which would take the focus away from whoever got to the end.
    up.ariaDisabled = String(!hasNewer);
    down.ariaDisabled = String(!hasOlder);
  }

  return { node, draw };
}

const open = (way) => way.ariaDisabled !== "true";
