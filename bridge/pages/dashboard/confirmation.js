// Asks before anything is ordered: first what the bridge says would happen, and only there the button that does it.
// It never orders what was not shown, and never orders twice.

import { part } from "./element.js";
import { failing, guardItems } from "./guards.js";
import { predictionShown } from "./prediction.js";

const DRY_RUN = "?dry_run=true";

export class Confirmation {
  #dialog;
  #form;
  #api;
  #carriedOut;
  #order;
  #prediction;
  #isBarred = false;

  // `carriedOut(state, sentence)` is told what came of it.
  constructor(dialog, api, carriedOut) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#api = api;
    this.#carriedOut = carriedOut;
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#form.addEventListener("input", () => this.#look());
    part(dialog, "cancel").addEventListener("click", () => dialog.close());
    part(dialog, "again").addEventListener("click", () => this.#predict());
    dialog.addEventListener("close", () => this.#closed());
  }

  async open(order, why) {
    this.#clear();
    this.#order = order;
    this.#form.elements.why.value = why;
    this.#dialog.querySelector("h2").textContent = `What would happen to ${order.tenant}`;
    this.#bar([]);
    this.#dialog.showModal();
    this.#dialog.querySelector("h2").focus();
    await this.#predict();
  }

  close() {
    this.#dialog.close();
  }

  // The tenant is at this version now; what was predicted for another is stale.
  saw({ tenant, version }) {
    if (this.#prediction?.tenant === tenant && this.#prediction.version < version) this.#stale();
  }

  async #predict() {
    const order = this.#order;
    this.#prediction = undefined;
    this.#say("Asking the bridge what would happen…");
    try {
      const prediction = await this.#api.order(order.tenant, order.question, DRY_RUN);
      if (this.#order === order) this.#show(prediction);
    } catch (refusal) {
      if (this.#order === order) this.#failed(refusal);
    }
  }

  #show(prediction) {
    this.#prediction = prediction;
    this.#say("");
    this.#bar(prediction.forward ? failing(prediction.guards) : []);
    part(this.#dialog, "shown").replaceChildren(...predictionShown(prediction).filter(Boolean));
    part(this.#dialog, "shown").scrollTop = 0;
    this.#look();
  }

  async #submitted(event) {
    event.preventDefault();
    if (part(this.#dialog, "confirm").disabled) return;
    const [order, prediction] = [this.#order, this.#prediction];
    this.#prediction = undefined;
    this.#say("The bridge is carrying it out…");
    try {
      const state = await this.#api.order(order.tenant, order.request(this.#how(prediction)));
      this.#carriedOut(state, order.done(prediction));
      if (this.#order === order) this.#dialog.close();
    } catch (refusal) {
      if (this.#order === order) this.#refused(refusal, prediction);
    }
  }

  #how({ version }) {
    const { why, force } = this.#form.elements;
    return { version, why: why.value.trim(), ...(this.#isBarred && force.checked ? { force: true } : {}) };
  }

  #refused(refusal, prediction) {
    if (refusal.code === "stale") return this.#stale();
    if (refusal.code !== "guard_failed") return this.#failed(refusal);
    this.#prediction = prediction;
    this.#bar(refusal.body.guards);
    part(this.#dialog, "bars").replaceChildren(...guardItems(refusal.body.guards));
    this.#say(refusal.message, true);
  }

  #stale() {
    this.#prediction = undefined;
    this.#say(`${this.#order.tenant} has been changed meanwhile: what is shown here no longer holds.`, true);
  }

  #failed(refusal) {
    this.#say(refusal.message, true);
  }

  // Guards that do not hold bar the way; whoever goes on all the same gives a reason.
  #bar(guards) {
    this.#isBarred = guards.length > 0;
    this.#form.elements.force.checked = false;
    part(this.#dialog, "barred").hidden = !this.#isBarred;
    part(this.#dialog, "barred").querySelector("p").textContent = barsInWords(guards.length);
    part(this.#dialog, "bars").replaceChildren();
  }

  #say(sentence, isProblem = false) {
    part(this.#dialog, "progress").textContent = isProblem ? "" : sentence;
    part(this.#dialog, "problem").textContent = isProblem ? sentence : "";
    part(this.#dialog, "again").hidden = !isProblem;
    this.#look();
  }

  #look() {
    const { why, force } = this.#form.elements;
    const isAllowed = !this.#isBarred || (force.checked && why.value.trim() !== "");
    const confirm = part(this.#dialog, "confirm");
    confirm.disabled = this.#prediction === undefined || !isAllowed;
    why.required = this.#isBarred && force.checked;
    if (this.#prediction) confirm.textContent = this.#words;
  }

  get #words() {
    return this.#order.words(this.#prediction) + (this.#isBarred ? " all the same" : "");
  }

  // Told a moment after the dialog was closed: it may be open again, for another question.
  #closed() {
    if (!this.#dialog.open) this.#clear();
  }

  #clear() {
    this.#order = undefined;
    this.#prediction = undefined;
    part(this.#dialog, "shown").replaceChildren();
    part(this.#dialog, "confirm").textContent = "Confirm";
  }
}

function barsInWords(guards) {
  return guards === 1 ? "A guard does not hold." : `${guards} guards do not hold.`;
}
