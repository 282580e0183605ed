// The words for where a message stands, which are also its colours in the style sheet.

import { setText } from "/page/dom.js";

export const GROUPS = ["waiting", "active", "retrying", "delivered", "failed", "cancelled"];

export function setState(node, { group }) {
  node.dataset.group = group;
  setText(node, group);
}
