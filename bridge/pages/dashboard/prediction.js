// What a step would change, as the bridge predicts it: from where to where, the guards, who would be refused, and who
// would no longer hear whom. It shows and never asks, and counts nothing by itself.

import { element } from "./element.js";
import { guardItems } from "./guards.js";
import { Table } from "./table.js";
import { ago, exactly } from "./time.js";
import { visible } from "./visible.js";
import { counted, isSameStanding, MEANINGS, NO_ID, number } from "./words.js";
import { PROTOCOLS, REFUSALS, ROUTINGS, standing } from "./words.js";

const NOTHING_CHANGES = "As far as is on record, nobody is refused and nobody stops hearing anybody.";
const FROM_NOTHING = "Nothing is on record yet: this predicts from nothing.";
const FORGOTTEN = " The record is bounded and has forgotten older rows: there may be more.";

export function predictionShown(prediction) {
  return [step(prediction), guards(prediction), effects(prediction), ...breakdown(prediction), ...lists(prediction), record(prediction)];
}

function step({ from, to }) {
  const isMove = !isSameStanding(from, to);
  const isRouted = from.v2_routing !== to.v2_routing;
  return element(
    "div",
    { class: "step" },
    isMove || !isRouted ? way(stageBadge(from), stageBadge(to), MEANINGS[to.stage]) : null,
    isRouted ? way(badge(from.v2_routing), badge(to.v2_routing), `V2 routing: ${ROUTINGS[to.v2_routing]}.`) : null,
  );
}

function way(from, to, meaning) {
  const arrow = [element("span", { class: "hidden" }, " to "), element("span", { "aria-hidden": true }, "→")];
  return element("p", { class: "way" }, from, ...arrow, to, element("span", { class: "meaning" }, meaning));
}

export function stageBadge(place) {
  return element("span", { class: `badge ${place.stage}` }, standing(place));
}

function badge(words) {
  return element("span", { class: "badge" }, words);
}

// Only those of this step: a step back has none.
function guards({ guards }) {
  if (guards.length === 0) return null;
  const list = element("ul", { class: "guards" }, ...guardItems(guards));
  return element("section", {}, element("h3", {}, "Guards"), list);
}

// Clients, each counted once, and what becomes of the others in both cases.
function effects({ totals, on_v2: onV2, to }) {
  const { all, none } = totals;
  if (none.clients === 0 && none.listeners === 0) return element("p", { class: "calm" }, NOTHING_CHANGES);
  const moving = to.stage === "legacy" ? "refused: V3 ends" : `of ${counted(onV2, "client")} on V2 must move now`;
  const earlier = none.clients - none.new;
  return element(
    "div",
    { class: "tiles" },
    tile(number(none.new), moving),
    earlier ? tile(number(earlier), "had to move before, and did not arrive yet") : null,
    tile(number(all.listeners), "hear less than now, though all of them arrive"),
    tile(number(none.listeners), "of those who stay hear less, if none arrives"),
  );
}

function tile(value, words) {
  return element("p", { class: "tile" }, element("b", {}, value), element("span", {}, words));
}

function breakdown({ totals: { all, none } }) {
  return [
    totalsBy("User agent", "user_agent", all.by_user_agent, none.by_user_agent),
    totalsBy("Group", "group_id", all.by_group, none.by_group),
  ];
}

function totalsBy(heading, field, all, none) {
  const ifAll = new Map(all.map((row) => [row[field], row.listeners]));
  const table = new Table(`By ${heading.toLowerCase()}`, [
    [heading, (row) => element("bdi", {}, visible(row[field]) || "–")],
    ["Move now", (row) => number(row.new), "number"],
    ["Moved before", (row) => number(row.clients - row.new), "number"],
    ["Hear less if all arrive", (row) => number(ifAll.get(row[field]) ?? 0), "number"],
    ["If none arrives", (row) => number(row.listeners), "number"],
  ]);
  table.show(none);
  return table.element;
}

function lists({ refused, silenced, quieter, totals }) {
  const clients = new Table("Clients that must move", REFUSED_COLUMNS);
  const pairs = new Table("If none arrives: who hears whom no more", PAIR_COLUMNS);
  clients.show(refused, totals.refused);
  pairs.show(silenced, totals.silenced);
  return totals.quieter === 0 ? [clients.element, pairs.element] : [clients.element, pairs.element, muffled(quieter, totals)];
}

// Who still hears some of a speaker, and not all: under another routing, say.
function muffled(quieter, totals) {
  const pairs = new Table("If none arrives: who hears less of whom", PAIR_COLUMNS);
  pairs.show(quieter, totals.quieter);
  return pairs.element;
}

const REFUSED_COLUMNS = [
  ["Client", (client) => person(client)],
  ["Group", ({ group_id }) => element("bdi", {}, visible(group_id))],
  ["Why", ({ code }) => REFUSALS[code] ?? code, "unbroken"],
  ["Last seen", ({ last_seen }) => ago(last_seen), "unbroken"],
  ["Messages", ({ messages }) => number(messages), "number"],
  ["Where it goes", ({ successor }) => (successor ? element("code", {}, visible(successor)) : "–")],
  ["User agent", ({ user_agent }) => visible(user_agent) || "–", "wide"],
];

const PAIR_COLUMNS = [
  ["Speaker", ({ speaker }) => person(speaker)],
  ["Listener", ({ listener }) => [element("span", { "aria-hidden": true }, "→ "), ...person(listener)]],
  ["Messages", ({ messages, of }) => (messages === of ? number(of) : `${number(messages)} of ${number(of)}`), "number"],
  ["Said to", ({ said_to }) => element("bdi", {}, visible(said_to))],
];

function person({ client_id: id, protocol, group_id: group }) {
  const name = element("bdi", {}, id === null ? NO_ID : visible(id));
  return [name, " ", element("small", { class: protocol, title: `group ${visible(group)}` }, PROTOCOLS[protocol] ?? protocol)];
}

function record({ since, complete }) {
  const begun = since === null ? FROM_NOTHING : `On record since ${exactly(since)}.`;
  const isWhole = complete && since !== null;
  return element("p", { class: isWhole ? "hint" : "notice" }, begun + (complete ? "" : FORGOTTEN));
}
