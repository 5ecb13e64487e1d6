// Who is where: clients still on V2, those who have arrived on V3 and those who have not, and who is turned away. It
// filters what was fetched and hands it over as a file; it never counts by itself.

import { csvOf, download } from "./csv.js";
import { element, part } from "./element.js";
import { Table } from "./table.js";
import { ago } from "./time.js";
import { visible } from "./visible.js";
import { counted, NO_ID, number, PROTOCOLS, REFUSALS } from "./words.js";

const CLIENT = ["Client", ({ client_id: id }) => element("bdi", { class: id === null ? "quiet" : undefined }, id === null ? NO_ID : visible(id))];
const GROUP = ["Group", ({ group_id }) => element("bdi", {}, visible(group_id ?? "–"))];
const PROTOCOL = ["Protocol", ({ protocol }) => element("span", { class: `word ${protocol}` }, PROTOCOLS[protocol] ?? protocol)];
const PERSON = [CLIENT, GROUP, PROTOCOL];
const MESSAGES = ["Messages", ({ messages }) => number(messages), "number"];
const FIRST = when("First seen", "first_seen");
const LAST = when("Last seen", "last_seen");
const LAST_ON_V2 = when("Last seen on V2", "last_seen");
const MOVED = when("Moved", "moved_at");
const KNOCKS = ["Knocks since", ({ knocks }) => number(knocks), "number"];
const AGENT = ["User agent", ({ user_agent }) => visible(user_agent) || "–", "wide"];
const WHY = ["Why", ({ code }) => REFUSALS[code] ?? code ?? "–", "unbroken"];
const TIMES = ["Times", ({ refused }) => number(refused), "number"];
const FROM = ["From", ({ address }) => visible(address ?? "") || "–", "unbroken"];
const BUCKET = ["Bucket", ({ bucket }) => bucket ?? "–", "number"];

const COLUMNS = {
  still: [...PERSON, MESSAGES, FIRST, LAST, AGENT],
  arrived: [...PERSON, MOVED, when("Arrived", "arrived_at"), LAST_ON_V2, AGENT],
  not_arrived: [...PERSON, MOVED, KNOCKS, LAST_ON_V2, AGENT],
  turned_away: [...PERSON, WHY, TIMES, when("Last", "refused_at"), FROM, AGENT],
  seen: [...PERSON, BUCKET, MESSAGES, FIRST, LAST, AGENT],
};
const FILE_COLUMNS = {
  seen: ["client_id", "group_id", "protocol", "bucket", "messages", "first_seen", "last_seen", "user_agent"],
  list: [
    "client_id",
    "group_id",
    "protocol",
    "messages",
    "first_seen",
    "last_seen",
    "moved_at",
    "arrived_at",
    "knocks",
    "refused",
    "code",
    "user_agent",
  ],
};
const SEARCHED = ["client_id", "group_id", "user_agent"];

export class Census {
  #root;
  #form;
  #table;
  #census = { days: 0, total: 0, forgotten: 0, clients: [] };

  // `chosen()` is called when other clients are to be fetched.
  constructor(root, chosen) {
    this.#root = root;
    this.#form = root.querySelector("form");
    this.#form.elements.whom.addEventListener("change", chosen);
    this.#form.elements.filter.addEventListener("input", () => this.#draw());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    part(root, "download").addEventListener("click", () => this.#download());
  }

  get query() {
    return `?${this.#form.elements.whom.value}`;
  }

  show(census) {
    if (this.#kind !== kindOf(census) || !this.#table) {
      this.#table = new Table("Clients, the latest first", COLUMNS[kindOf(census)]);
      part(this.#root, "rows").replaceChildren(this.#table.element);
    }
    this.#census = census;
    this.#name(census.counts);
    this.#draw();
  }

  get #kind() {
    return kindOf(this.#census);
  }

  // Each list says in the choice how many are in it.
  #name(counts) {
    for (const option of this.#form.elements.whom.options) {
      option.dataset.name ??= option.textContent;
      const count = counts?.[option.value.replace("list=", "")];
      option.textContent = count === undefined ? option.dataset.name : `${option.dataset.name} (${number(count)})`;
    }
  }

  get #wanted() {
    const words = this.#form.elements.filter.value.trim().toLowerCase();
    const holds = (client) => SEARCHED.some((field) => (client[field] ?? "").toLowerCase().includes(words));
    return this.#census.clients.filter(holds);
  }

  #draw() {
    const wanted = this.#wanted;
    this.#table?.show(wanted);
    part(this.#root, "download").disabled = wanted.length === 0;
    part(this.#root, "summary").textContent = this.#summary(wanted.length);
  }

  #summary(found) {
    const { forgotten, clients } = this.#census;
    const left = forgotten ? ` ${counted(forgotten, "older row")} forgotten: the record is bounded.` : "";
    return this.#inAll() + left + (found < clients.length ? ` ${number(found)} of them fit the filter.` : "");
  }

  #inAll() {
    const { days, total, counts } = this.#census;
    if (!counts) return total === 0 ? `Nobody was seen in ${days} days.` : `${counted(total, "client")} seen in ${days} days.`;
    const { still, arrived, not_arrived: lost, turned_away: refused } = counts;
    return `In ${days} days: ${number(still)} still on V2, ${number(arrived)} arrived on V3, ${number(lost)} moved and not arrived; ${number(refused)} turned away.`;
  }

  #download() {
    download(`${this.#census.tenant}-census.csv`, csvOf(FILE_COLUMNS[this.#kind === "seen" ? "seen" : "list"], this.#wanted));
  }
}

// Which columns tell most: those of its list, or those of everybody who was seen.
function kindOf({ list }) {
  return list ?? "seen";
}

function when(heading, field) {
  return [heading, (client) => (client[field] ? ago(client[field]) : "–"), "unbroken"];
}
