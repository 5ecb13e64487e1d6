// The limits of a tenant's guards, as a form: an empty field is no limit. What an operator has typed stays until it is set
// or the tenant is left. It judges no limit: the bridge does.

import { part } from "./element.js";

// These two are never without a number.
const ALWAYS = ["grace_seconds", "watch_minutes"];

export class Limits {
  #form;
  #set;
  #shown;
  #isTouched = false;

  // `set(body)` orders, and resolves to the guards as they are then; `shown(guards)` is told them.
  constructor(form, set, shown) {
    this.#form = form;
    this.#set = set;
    this.#shown = shown;
    form.addEventListener("input", () => {
      this.#isTouched = true;
      this.#say("");
    });
    form.addEventListener("submit", (event) => this.#submitted(event));
  }

  show(guards) {
    if (this.#isTouched) return;
    for (const field of this.#fields) field.value = guards[field.name] ?? "";
  }

  async #submitted(event) {
    event.preventDefault();
    const wrong = this.#fields.find((field) => !field.validity.valid);
    if (wrong) return this.#refuse(wrong);
    try {
      const guards = await this.#set({ ...this.#limits, why: this.#form.elements.why.value.trim() });
      this.#isTouched = false;
      this.#form.elements.why.value = "";
      this.#shown(guards);
      this.#say("The limits are set.");
    } catch (refusal) {
      this.#say(refusal.message);
    }
  }

  get #fields() {
    return [...this.#form.querySelectorAll("input[type=number]")];
  }

  get #limits() {
    return Object.fromEntries(this.#fields.map(({ name, value }) => [name, value === "" ? null : Number(value)]));
  }

  #refuse(field) {
    const isMissing = ALWAYS.includes(field.name) && field.value === "";
    this.#say(isMissing ? "The grace and the watch are never left empty." : field.validationMessage);
    field.focus();
  }

  #say(sentence) {
    part(this.#form, "said").textContent = sentence;
  }
}
