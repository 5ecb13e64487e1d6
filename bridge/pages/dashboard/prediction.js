// What a step would change, as the bridge predicts it: from where to where, the guards, who would be refused, and who
// would no longer hear whom. It shows and never asks, and counts nothing by itself.

import { barOf } from "./bar.js";
import { element } from "./element.js";
import { guardItems } from "./guards.js";
import { Table } from "./table.js";
import { ago, exactly } from "./time.js";
import { visible } from "./visible.js";
import { counted, isSameStanding, MEANINGS, NO_ID, number, percent } from "./words.js";
import { PROTOCOLS, REFUSALS, ROUTINGS, standing } from "./words.js";

const NOTHING_CHANGES = "As far as is on record, nobody is refused and nobody stops hearing anybody.";
const FROM_NOTHING = "Nothing is on record yet: this predicts from nothing.";
const FORGOTTEN = " The record is bounded and has forgotten older rows: there may be more.";

export function predictionShown(prediction) {
  return [step(prediction), guards(prediction), effects(prediction), ...lists(prediction), record(prediction)];
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

function effects({ totals, traffic }) {
  if (totals.refused === 0 && totals.silenced === 0 && totals.quieter === 0) {
    return element("p", { class: "calm" }, NOTHING_CHANGES);
  }
  return element(
    "div",
    { class: "tiles" },
    tile(number(totals.refused), totals.refused === 1 ? "client refused" : "clients refused"),
    tile(number(totals.silenced), totals.silenced === 1 ? "pair silenced" : "pairs silenced"),
    tile(percent(traffic.share), "of the traffic goes unheard by somebody", trafficBar(traffic)),
  );
}

function tile(value, words, ...more) {
  return element("p", { class: "tile" }, element("b", {}, value), element("span", {}, words), ...more);
}

function trafficBar({ messages, affected }) {
  const bar = barOf({ affected, unaffected: Math.max(messages - affected, 0) });
  return element("span", { class: "hint" }, bar, `${number(affected)} of ${counted(messages, "message")}`);
}

function lists({ refused, silenced, quieter, totals }) {
  const clients = new Table("Refused clients", REFUSED_COLUMNS);
  const pairs = new Table("Silenced pairs", PAIR_COLUMNS);
  clients.show(refused, totals.refused);
  pairs.show(silenced, totals.silenced);
  return totals.quieter === 0 ? [clients.element, pairs.element] : [clients.element, pairs.element, muffled(quieter, totals)];
}

// Who still hears some of a speaker, and not all: under another routing, say.
function muffled(quieter, totals) {
  const pairs = new Table("Pairs that hear less", PAIR_COLUMNS);
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
  ["Channel to move to", ({ channel }) => element("code", {}, visible(channel))],
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
