// Who changed what, when and why. The record is the bridge's: nothing here can change it.

import { element, part } from "./element.js";
import { stageBadge } from "./prediction.js";
import { Table } from "./table.js";
import { ago } from "./time.js";
import { visible } from "./visible.js";
import { isSameStanding } from "./words.js";

const IDS = /^ids: (?<added>[\d,]+) added, (?<removed>[\d,]+) removed, (?<changed>[\d,]+) changed(?:: |$)/;
const COLUMNS = [
  ["No.", ({ version }) => String(version), "number"],
  ["When", ({ when }) => ago(when), "unbroken"],
  ["Who", ({ who }) => element("bdi", {}, visible(who))],
  ["What", whatOf],
  ["Why", whyOf, "wide"],
];

export class Record {
  #root;
  #table = new Table("Changes, the newest first", COLUMNS);

  constructor(root) {
    this.#root = root;
    part(root, "rows").append(this.#table.element);
  }

  show(changes) {
    this.#table.show(changes);
    part(this.#root, "none").hidden = changes.length > 0;
  }
}

function whatOf(change) {
  const { from, from_share, from_v2_routing, to, share, v2_routing } = change;
  if (change.kind === "ids") return [mark("ids", "id map"), ` ${idsInWords(change)}`];
  if (change.kind === "guards") return [mark("guards", "guards"), ` ${limitsInWords(change)}`];
  const before = { stage: from, share: from_share };
  const after = { stage: to, share };
  const isRouted = from_v2_routing !== v2_routing;
  const move = isSameStanding(before, after) && isRouted ? [] : [stageBadge(before), ...arrow(), stageBadge(after)];
  const routing = isRouted ? element("span", {}, `V2 routing ${from_v2_routing} → ${v2_routing}`) : null;
  return [element("span", { class: "way" }, ...move, routing, ...kindOf(change))];
}

function arrow() {
  return [element("span", { class: "hidden" }, " to "), element("span", { "aria-hidden": true }, "→")];
}

function kindOf({ kind, rolls_back: version, forced }) {
  return [
    kind === "rollback" ? mark("rollback", version === null ? "rollback" : `rollback of ${version}`) : null,
    kind === "loss" ? mark("loss", "loss") : null,
    forced?.length ? mark("forced", `forced past ${forced.join(", ")}`) : null,
  ].filter(Boolean);
}

function mark(kind, words) {
  return element("span", { class: `mark ${kind}` }, words);
}

// The line of such a change begins with its counts.
function idsInWords({ why }) {
  const counts = why.match(IDS)?.groups;
  if (counts === undefined) return "changed";
  const said = Object.entries(counts).filter(([, count]) => count !== undefined && count !== "0");
  return said.map(([kind, count]) => `${count} ${kind}`).join(", ") || "unchanged";
}

function limitsInWords({ from_guards: before, guards: after }) {
  const changed = Object.keys(after).filter((name) => before[name] !== after[name]);
  return changed.map((name) => `${name} ${before[name] ?? "off"} → ${after[name] ?? "off"}`).join(", ");
}

function whyOf({ kind, why }) {
  return (kind === "ids" ? why.replace(IDS, "") : why) || element("span", { class: "quiet" }, "–");
}
