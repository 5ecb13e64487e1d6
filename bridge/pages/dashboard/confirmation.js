// Asks before anything is ordered: first what the bridge says would happen, and only there the button that does it. The
// step to v3 also wants the name of the tenant typed while somebody is on V2. It never orders what was not shown, and
// never orders twice.

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
  #onV2 = 0;

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
    this.#guard([]);
    this.#wantName(false);
    this.#dialog.showModal();
    this.#dialog.querySelector("h2").focus();
    await this.#predict();
  }

  close() {
    this.#dialog.close();
  }

  // The tenant is at this version now; what was predicted for another is stale.
  saw({ tenant, version, connections }) {
    this.#onV2 = connections.v2 + connections.socketio;
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
    this.#guard(prediction.guards);
    this.#wantName(prediction.forward && prediction.to.stage === "v3" && this.#onV2 > 0);
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

  // Whoever has seen what a share would do has confirmed it. For v3 only the typed name counts.
  #how({ version, tenant, to }) {
    const { why, force, name } = this.#form.elements;
    const confirmed = this.#isNameWanted ? { confirm: name.value } : to.stage === "drain" ? { confirm: tenant } : {};
    return { version, why: why.value.trim(), ...confirmed, ...(force.checked ? { force: true } : {}) };
  }

  #refused(refusal, prediction) {
    if (refusal.code === "stale") return this.#stale();
    if (!["guard_failed", "unconfirmed"].includes(refusal.code)) return this.#failed(refusal);
    this.#prediction = prediction;
    if (refusal.code === "unconfirmed") this.#wantName(true);
    else this.#barred(refusal.body.guards);
    this.#say(refusal.message, true);
  }

  #stale() {
    this.#prediction = undefined;
    this.#say(`${this.#order.tenant} has been changed meanwhile: what is shown here no longer holds.`, true);
  }

  #failed(refusal) {
    this.#say(refusal.message, true);
  }

  // The guards of this step: those that do not hold bar the way. Whoever forces it gives a reason; a step can be forced
  // before a guard fails, too.
  #guard(guards) {
    const bars = failing(guards);
    this.#isBarred = bars.length > 0;
    this.#form.elements.force.checked = false;
    part(this.#dialog, "barred").hidden = guards.length === 0;
    part(this.#dialog, "barred").querySelector("p").textContent = barsInWords(bars.length);
    part(this.#dialog, "bars").replaceChildren();
  }

  // The bridge has refused: these guards fail now, whatever the prediction said.
  #barred(guards) {
    this.#guard(guards);
    part(this.#dialog, "bars").replaceChildren(...guardItems(guards));
  }

  #wantName(isWanted) {
    const { name } = this.#form.elements;
    name.value = "";
    part(this.#dialog, "named").hidden = !isWanted;
    part(this.#dialog, "asked").textContent = `Type ${this.#order.tenant} to confirm: its open V2 sockets are closed.`;
  }

  get #isNameWanted() {
    return !part(this.#dialog, "named").hidden;
  }

  #say(sentence, isProblem = false) {
    part(this.#dialog, "progress").textContent = isProblem ? "" : sentence;
    part(this.#dialog, "problem").textContent = isProblem ? sentence : "";
    part(this.#dialog, "again").hidden = !isProblem;
    this.#look();
  }

  #look() {
    const { why, force, name } = this.#form.elements;
    const isAllowed = force.checked ? why.value.trim() !== "" : !this.#isBarred;
    const isNamed = !this.#isNameWanted || name.value === this.#order?.tenant;
    const confirm = part(this.#dialog, "confirm");
    confirm.disabled = this.#prediction === undefined || !isAllowed || !isNamed;
    why.required = force.checked;
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
  if (guards === 0) return "The guards hold. Each may still take the step back for some minutes after it.";
  return guards === 1 ? "A guard does not hold." : `${guards} guards do not hold.`;
}
