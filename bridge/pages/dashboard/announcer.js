// Says what has been done, in a line that everybody sees and screen readers read out politely. It never interrupts.

const SHOWN_MILLISECONDS = 20_000;

export class Announcer {
  #line;
  #timer;

  constructor(line) {
    this.#line = line;
  }

  say(sentence) {
    clearTimeout(this.#timer);
    this.#line.textContent = sentence;
    this.#timer = setTimeout(() => {
      this.#line.textContent = "";
    }, SHOWN_MILLISECONDS);
  }
}
