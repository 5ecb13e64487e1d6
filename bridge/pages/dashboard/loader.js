// Fetches one record of a tenant for one panel: at most one request at a time, the newest question wins. What is the
// same as before is not drawn again, so that a selection or a scrolled table stays. It must never show a stale answer.

export class Loader {
  #ask;
  #show;
  #trouble;
  #shown = "";
  #request = new AbortController();

  // `ask(signal)` fetches, `show(answer)` draws; `trouble` is the element that says why it could not be fetched.
  constructor(ask, show, trouble) {
    this.#ask = ask;
    this.#show = show;
    this.#trouble = trouble;
  }

  async load() {
    this.stop();
    const { signal } = this.#request;
    try {
      const answer = await this.#ask(signal);
      if (!signal.aborted) this.#answered(answer);
    } catch (problem) {
      if (!signal.aborted) this.#say(problem.message);
    }
  }

  stop() {
    this.#request.abort();
    this.#request = new AbortController();
  }

  #answered(answer) {
    this.#say("");
    const text = JSON.stringify(answer);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#show(answer);
  }

  // The same sentence again would be read out again.
  #say(sentence) {
    if (this.#trouble.textContent !== sentence) this.#trouble.textContent = sentence;
  }
}
