// Asks before an id map is changed: first what the bridge says would be added, changed and removed, or what is in conflict,
// and only there the button that does it. It never orders what was not shown, and never orders twice.

import { element, part } from "./element.js";
import { Table } from "./table.js";
import { visible } from "./visible.js";
import { counted, number } from "./words.js";

const KINDS = ["removed", "changed", "added"];
const IN_CONFLICT = "These are in conflict with what is mapped already, so nothing is added: mend the lines, or give the whole map.";
const CONSEQUENCE =
  "Clients that are connected under a name that changes are closed with 1012, and come back under the new one. " +
  "This can be taken back until the map is changed again.";

export class IdsQuestion {
  #dialog;
  #form;
  #api;
  #carriedOut;
  #order;
  #foreseen;

  // `carriedOut(sentence)` is told what came of it.
  constructor(dialog, api, carriedOut) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#api = api;
    this.#carriedOut = carriedOut;
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    part(dialog, "cancel").addEventListener("click", () => dialog.close());
    part(dialog, "again").addEventListener("click", () => this.#foresee());
    dialog.addEventListener("close", () => !dialog.open && this.#clear());
  }

  async open(order, why) {
    this.#clear();
    this.#order = order;
    this.#form.elements.why.value = why;
    const heading = this.#dialog.querySelector("h2");
    heading.textContent = order.asks;
    this.#dialog.showModal();
    heading.focus();
    await this.#foresee();
  }

  close() {
    this.#dialog.close();
  }

  // The tenant is at this version now; what was foreseen for another is stale.
  saw({ tenant, version }) {
    if (this.#foreseen?.tenant !== tenant || this.#foreseen.version > version) return;
    this.#foreseen = undefined;
    this.#say(`${tenant} has been changed meanwhile: what is shown here no longer holds.`, true);
  }

  async #foresee() {
    const order = this.#order;
    this.#foreseen = undefined;
    this.#say("Asking the bridge what would change…");
    try {
      const foreseen = await this.#api.order(order.tenant, order.request, order.query({ dry_run: true }));
      if (this.#order === order) this.#show(foreseen);
    } catch (refusal) {
      if (this.#order === order) this.#refused(refusal);
    }
  }

  #show(foreseen) {
    const isChange = KINDS.some((kind) => foreseen[kind] > 0);
    if (isChange) this.#foreseen = foreseen;
    const is = (kind) => foreseen[kind] > 0;
    this.#draw([
      element("div", { class: "tiles narrow" }, ...KINDS.map((kind) => tile(foreseen[kind], kind))),
      element("p", { class: "meaning" }, `The map then has ${counted(foreseen.ids, "id")}.`),
      ...KINDS.filter(is).map((kind) => named(kind, foreseen)),
    ]);
    part(this.#dialog, "warning").hidden = !is("removed") && !is("changed");
    part(this.#dialog, "warning").textContent = isChange ? CONSEQUENCE : "";
    part(this.#dialog, "confirm").textContent = this.#order.words(foreseen);
    this.#say(isChange ? "" : "Nothing would change: it is all as before.");
  }

  async #submitted(event) {
    event.preventDefault();
    if (this.#foreseen === undefined) return;
    const [order, why] = [this.#order, this.#form.elements.why.value.trim()];
    this.#foreseen = undefined;
    this.#say("The bridge is carrying it out…");
    try {
      const done = await this.#api.order(order.tenant, order.request, order.query({ why }));
      this.#carriedOut(`The id map of ${order.tenant}: ${KINDS.map((kind) => `${number(done[kind])} ${kind}`).join(", ")}.`);
      if (this.#order === order) this.#dialog.close();
    } catch (refusal) {
      if (this.#order === order) this.#refused(refusal);
    }
  }

  // Conflicts are named one by one.
  #refused(refusal) {
    const { code, detail } = refusal.body;
    const isConflict = code === "ids_in_conflict";
    if (isConflict) this.#draw([conflicts(detail)]);
    this.#say(isConflict ? IN_CONFLICT : visible(refusal.message), true);
  }

  #say(sentence, isProblem = false) {
    part(this.#dialog, "progress").textContent = isProblem ? "" : sentence;
    part(this.#dialog, "problem").textContent = isProblem ? sentence : "";
    part(this.#dialog, "again").hidden = !isProblem;
    part(this.#dialog, "confirm").disabled = this.#foreseen === undefined;
  }

  #draw(shown) {
    part(this.#dialog, "shown").replaceChildren(...shown);
    part(this.#dialog, "shown").scrollTop = 0;
  }

  #clear() {
    this.#order = this.#foreseen = undefined;
    this.#draw([]);
    part(this.#dialog, "warning").hidden = true;
    part(this.#dialog, "confirm").textContent = "Confirm";
  }
}

function tile(count, kind) {
  return element("p", { class: "tile" }, element("b", {}, number(count)), element("span", {}, kind));
}

function named(kind, foreseen) {
  const table = new Table(`V2 ids that are ${kind}`, [["V2 id", (v2Id) => element("bdi", {}, visible(v2Id))]]);
  table.show(foreseen.named[kind], foreseen[kind]);
  return table.element;
}

function conflicts(detail) {
  const table = new Table("In conflict with what is mapped already", [
    ["V2 id", ({ field }) => element("bdi", {}, visible(field))],
    ["Why", ({ problem }) => visible(problem), "wide"],
  ]);
  table.show(detail);
  return table.element;
}
