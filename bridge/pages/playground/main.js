// Begins the page: a V2 client and a V3 client that are connected, and room for more. It knows panes, not protocols.

import { CLIENT_IDS, GROUP } from "./examples.js";
import { Pane } from "./pane.js";

const MAX_PANES = 8;
const panes = new Set();
const container = document.getElementById("panes");
const buttons = { v2: document.getElementById("add-v2"), v3: document.getElementById("add-v3") };

function add(protocol) {
  const pane = new Pane({ protocol, group: GROUP, client: unusedId(protocol) }, remove);
  panes.add(pane);
  container.append(pane.element);
  count();
  return pane;
}

function remove(pane) {
  const following = pane.element.nextElementSibling ?? pane.element.previousElementSibling;
  pane.remove();
  panes.delete(pane);
  count();
  const next = [...panes].find(({ element }) => element === following);
  if (next) next.focusHeading();
  else buttons.v2.focus();
}

function unusedId(protocol) {
  const used = new Set([...panes].map(({ place }) => place.client));
  return CLIENT_IDS[protocol].find((id) => !used.has(id));
}

function count() {
  const isFull = panes.size >= MAX_PANES;
  document.getElementById("count").textContent = isFull ? `${MAX_PANES} clients: remove one to add another.` : "";
  for (const button of Object.values(buttons)) button.disabled = isFull;
}

for (const [protocol, button] of Object.entries(buttons)) {
  button.addEventListener("click", () => add(protocol).focusClientId());
  add(protocol).connect();
}
