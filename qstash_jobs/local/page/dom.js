// Elements and text. Whatever comes from outside becomes text, never markup: nothing here parses HTML.

/** Make an element. Properties are set as they are; `on` holds listeners, `data` data attributes, `aria` aria ones. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  const { on = {}, data = {}, aria = {}, ...plain } = properties;
  Object.assign(made, plain);
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Set a text only where it differs, so that a selection in it stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Let a parent have one child for each item, in this order; children of known keys are kept, with their focus. */
export function keep(parent, items, key, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = known.get(name);
    known.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

// Control characters, those that turn the direction of writing, and those that nobody sees.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Write a foreign text so that all of it shows. */
export function visible(text) {
  return String(text).replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A foreign text on one line, cut where it is too long. */
export function short(text, length = 300) {
  const shown = visible(String(text).slice(0, length)).replace(/\s+/g, " ");
  return String(text).length > length ? `${shown}…` : shown;
}

export function button(text, act, properties = {}) {
  return element("button", { type: "button", on: { click: act }, ...properties }, text);
}
