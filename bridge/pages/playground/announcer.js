// Reads out to screen readers what was heard, politely: one sentence in two seconds at most, and how many more there
// were. It never shows anything and never interrupts.

const PAUSE_MILLISECONDS = 2000;

export class Announcer {
  #region;
  #latest = "";
  #more = 0;
  #timer = null;

  constructor(region) {
    this.#region = region;
  }

  announce(sentence) {
    if (this.#latest) this.#more += 1;
    this.#latest = sentence;
    if (this.#timer === null) this.#speak();
  }

  #speak() {
    this.#timer = null;
    if (!this.#latest) return;
    this.#region.textContent = this.#more ? `${this.#latest} (and ${this.#more} more)` : this.#latest;
    this.#latest = "";
    this.#more = 0;
    this.#timer = setTimeout(() => this.#speak(), PAUSE_MILLISECONDS);
  }
}
