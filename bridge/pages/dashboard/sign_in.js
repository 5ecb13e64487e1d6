// The door: asks for the operator's key and lets the API judge it. It never keeps the key, and empties its field.

import { Api } from "./api.js";
import { part } from "./element.js";

// What a header can carry; anything else was not copied well.
const KEY = /^[\x21-\x7e]+$/;
const NO_ADMINISTRATOR = "This is not an administrator’s key.";
const UNREADABLE = "A key is of letters, digits and signs, without spaces: look at what was pasted.";

export class SignIn {
  #form;
  #entered;

  // `entered(key, states)` is called with a key that opens, and the tenants that it sees.
  constructor(form, entered) {
    this.#form = form;
    this.#entered = entered;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(form.elements.key.value.trim());
    });
  }

  show(problem = "") {
    this.#complain(problem);
    this.#form.hidden = false;
    this.#form.elements.key.focus();
  }

  hide() {
    this.#form.reset();
    this.#form.hidden = true;
  }

  async #submit(key) {
    if (!KEY.test(key)) return this.#complain(key ? UNREADABLE : "Enter an administrator’s key.");
    this.#complain("");
    try {
      this.#entered(key, await new Api(key).tenants());
    } catch (problem) {
      this.#complain(problem.isAboutTheKey ? `${NO_ADMINISTRATOR} ${problem.message}` : problem.message);
    }
  }

  #complain(problem) {
    part(this.#form, "problem").textContent = problem;
    this.#form.elements.key.setAttribute("aria-invalid", problem !== "");
    if (problem) this.#form.elements.key.select();
  }
}
