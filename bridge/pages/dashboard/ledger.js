// What became of the messages that crossed, and which keys of their own the tenant's V2 clients use: names and types,
// never a value. It shows what the bridge has counted and counts nothing by itself.

import { Bar } from "./bar.js";
import { element, part } from "./element.js";
import { Table } from "./table.js";
import { ago } from "./time.js";
import { visible } from "./visible.js";
import { counted, number, percent } from "./words.js";

const OUTCOMES = ["exact", "stashed", "suppressed"];
const KEY_COLUMNS = [
  ["Key", ({ name }) => element("code", {}, visible(name))],
  ["Seen", ({ seen }) => number(seen), "number"],
  ["Types", ({ types }) => types.join(", ")],
  ["First seen", ({ first_seen }) => ago(first_seen), "unbroken"],
  ["Last seen", ({ last_seen }) => ago(last_seen), "unbroken"],
];

export class Ledger {
  #root;
  #keys = new Table("Keys of their own that V2 clients use", KEY_COLUMNS);

  constructor(root) {
    this.#root = root;
    part(root, "rows").append(this.#keys.element);
  }

  show({ days, forgotten, outcomes, keys }) {
    const directions = [direction("V2 → V3", outcomes.v2_to_v3), direction("V3 → V2", outcomes.v3_to_v2)];
    part(this.#root, "outcomes").replaceChildren(...directions);
    this.#keys.show(keys);
    part(this.#root, "none").hidden = keys.length > 0;
    part(this.#root, "summary").textContent = `What was said in ${days} days.${leftOut(forgotten)}`;
  }
}

function leftOut(forgotten) {
  return forgotten ? ` ${counted(forgotten, "older row")} forgotten: the record is bounded.` : "";
}

function direction(words, outcomes) {
  const bar = new Bar(...OUTCOMES);
  const values = OUTCOMES.map((outcome) => outcomes[outcome] ?? 0);
  const all = values.reduce((sum, value) => sum + value, 0);
  bar.show(...values);
  const facts = OUTCOMES.map((outcome, place) => fact(outcome, values[place], all));
  const heading = element("h4", {}, words, " ", element("span", { class: "hint" }, counted(all, "conversion")));
  return element("section", { class: "direction" }, heading, bar.element, element("ul", { class: "key" }, ...facts));
}

function fact(outcome, value, all) {
  const share = all === 0 ? "" : ` (${percent(value / all)})`;
  return element("li", { class: outcome }, element("i"), `${outcome} `, element("b", {}, number(value)), share);
}
