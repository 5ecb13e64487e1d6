// Who was there: a tenant's clients, those still on V2 first. It filters what was fetched and hands it over as a file;
// it never counts by itself.

import { csvOf, download } from "./csv.js";
import { element, part } from "./element.js";
import { Table } from "./table.js";
import { ago } from "./time.js";
import { visible } from "./visible.js";
import { counted, NO_ID, number, PROTOCOLS } from "./words.js";

const COLUMNS = [
  ["Client", ({ client_id: id }) => element("bdi", { class: id === null ? "quiet" : undefined }, id === null ? NO_ID : visible(id))],
  ["Group", ({ group_id }) => element("bdi", {}, visible(group_id))],
  ["Protocol", ({ protocol }) => element("span", { class: `word ${protocol}` }, PROTOCOLS[protocol] ?? protocol)],
  ["Bucket", ({ bucket }) => bucket ?? "–", "number"],
  ["Messages", ({ messages }) => number(messages), "number"],
  ["First seen", ({ first_seen }) => ago(first_seen), "unbroken"],
  ["Last seen", ({ last_seen }) => ago(last_seen), "unbroken"],
  ["User agent", ({ user_agent }) => visible(user_agent) || "–", "wide"],
];
const FILE_COLUMNS = [
  "client_id",
  "group_id",
  "protocol",
  "bucket",
  "messages",
  "first_seen",
  "last_seen",
  "user_agent",
];
const SEARCHED = ["client_id", "group_id", "user_agent"];

export class Census {
  #root;
  #form;
  #table = new Table("Clients, the latest seen first", COLUMNS);
  #census = { days: 0, total: 0, forgotten: 0, clients: [] };

  // `chosen()` is called when other clients are to be fetched.
  constructor(root, chosen) {
    this.#root = root;
    this.#form = root.querySelector("form");
    part(root, "rows").append(this.#table.element);
    this.#form.elements.protocol.addEventListener("change", chosen);
    this.#form.elements.filter.addEventListener("input", () => this.#draw());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    part(root, "download").addEventListener("click", () => this.#download());
  }

  get query() {
    const { value } = this.#form.elements.protocol;
    return value ? `?protocol=${value}` : "";
  }

  show(census) {
    this.#census = census;
    this.#draw();
  }

  get #wanted() {
    const words = this.#form.elements.filter.value.trim().toLowerCase();
    const holds = (client) => SEARCHED.some((field) => (client[field] ?? "").toLowerCase().includes(words));
    return this.#census.clients.filter(holds);
  }

  #draw() {
    const wanted = this.#wanted;
    this.#table.show(wanted);
    part(this.#root, "download").disabled = wanted.length === 0;
    part(this.#root, "summary").textContent = this.#summary(wanted.length);
  }

  #summary(found) {
    const { days, total, forgotten, clients } = this.#census;
    const seen = total === 0 ? `Nobody was seen in ${days} days.` : `${counted(total, "client")} seen in ${days} days.`;
    const left = forgotten ? ` ${counted(forgotten, "older row")} forgotten: the record is bounded.` : "";
    return seen + left + (found < clients.length ? ` ${number(found)} of them fit the filter.` : "");
  }

  #download() {
    download(`${this.#census.tenant}-census.csv`, csvOf(FILE_COLUMNS, this.#wanted));
  }
}
