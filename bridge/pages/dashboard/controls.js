// Where an operator says what a tenant is to become. Nothing is ordered from here: each button asks for the
// confirmation, which shows the dry run first.

import { element, part } from "./element.js";
import { guardItems } from "./guards.js";
import { Limits } from "./limits.js";
import { move, rollBack } from "./orders.js";
import { lookingOnly, mayMove } from "./roles.js";
import { isSameStanding } from "./words.js";

const NO_SHARE = "Name the share: a number from 0 to 100, with two decimals at most.";
const UNCHANGED = "This is how it is now: choose another stage, share or routing.";

export class Controls {
  #root;
  #form;
  #ask;
  #state;
  #limits;
  #isTouched = false;
  #mayMove = true;

  // `ask(order, why)` opens the confirmation; `setLimits(body)` sets limits of the guards, and returns the new guards.
  constructor(root, ask, setLimits) {
    this.#root = root;
    this.#form = root.querySelector("form");
    this.#limits = new Limits(part(root, "limits"), setLimits, (guards) => this.showGuards(guards));
    this.#ask = ask;
    this.#form.addEventListener("input", (event) => this.#edited(event));
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    part(root, "back").addEventListener("click", () => ask(rollBack(this.#state.tenant), this.#why));
    for (const button of part(root, "quick").querySelectorAll("button")) {
      button.addEventListener("click", () => this.#drain(Number(button.value)));
    }
  }

  // What an operator has chosen stays chosen, whatever happens meanwhile.
  showState(state) {
    this.#state = state;
    if (!this.#isTouched) this.#write(state);
    this.#root.querySelectorAll("[data-part=quick] button").forEach((button) => {
      button.disabled = isSameStanding(state, { stage: "drain", share: Number(button.value) });
    });
    this.#lock();
  }

  // Who may not move a tenant sees how it stands, and why nothing can be pressed.
  showRole(role) {
    this.#mayMove = mayMove(role);
    part(this.#root, "role").textContent = this.#mayMove ? "" : lookingOnly("Moving a tenant", "operator", role);
    part(this.#root, "role").hidden = this.#mayMove;
    this.#lock();
  }

  #lock() {
    if (this.#mayMove) return;
    for (const control of this.#root.querySelectorAll("button, input")) control.disabled = true;
  }

  showGuards(guards) {
    const items = guardItems(guards.verdicts);
    part(this.#root, "guards").replaceChildren(...(items.length ? items : [element("li", {}, "None: no step is held.")]));
    this.#limits.show(guards);
  }

  // An order was carried out: the form shows the tenant again.
  settle() {
    this.#isTouched = false;
    this.#form.elements.why.value = "";
    this.#write(this.#state);
  }

  get #why() {
    return this.#form.elements.why.value.trim();
  }

  get #wanted() {
    const { stage, share, v2_routing: routing } = this.#form.elements;
    const drained = stage.value === "drain" ? { share: Number(share.value) } : {};
    return { stage: stage.value, ...drained, v2_routing: routing.value };
  }

  #write({ stage, share, v2_routing: routing }) {
    const { elements } = this.#form;
    elements.stage.value = stage;
    elements.v2_routing.value = routing;
    elements.share.value = stage === "drain" ? share : "";
    elements.slider.value = stage === "drain" ? share : 0;
    this.#look();
  }

  // The slider moves by whole percents; decimals are typed.
  #edited({ target }) {
    const { share, slider } = this.#form.elements;
    if (target.name !== "why") this.#isTouched = true;
    if (target === slider) share.value = Math.round(slider.valueAsNumber);
    if (target === share && share.validity.valid) slider.value = share.value;
    this.#look();
  }

  #look() {
    part(this.#root, "share").disabled = this.#form.elements.stage.value !== "drain";
    part(this.#root, "problem").textContent = "";
  }

  #submitted(event) {
    event.preventDefault();
    const { share } = this.#form.elements;
    const isWrong = !share.matches(":disabled") && !share.validity.valid;
    share.setAttribute("aria-invalid", isWrong);
    if (isWrong) this.#complain(NO_SHARE, share);
    else if (this.#isUnchanged()) this.#complain(UNCHANGED);
    else this.#ask(move(this.#state.tenant, this.#wanted), this.#why);
  }

  #isUnchanged() {
    const wanted = this.#wanted;
    return wanted.v2_routing === this.#state.v2_routing && isSameStanding(wanted, this.#state);
  }

  #complain(sentence, field) {
    part(this.#root, "problem").textContent = sentence;
    field?.focus();
  }

  #drain(share) {
    this.#isTouched = true;
    this.#write({ ...this.#wanted, stage: "drain", share });
    this.#ask(move(this.#state.tenant, this.#wanted), this.#why);
  }
}
