// How long heartbeats take there and back. They come back in the order in which they went. Bounded: of more than 100 on
// their way the oldest is not measured.

const MAX_ON_THEIR_WAY = 100;

export class Trips {
  #begun = [];

  begin() {
    this.#begun.push(performance.now());
    if (this.#begun.length > MAX_ON_THEIR_WAY) this.#begun.shift();
  }

  // Milliseconds since the oldest one went; `undefined` where none is known.
  end() {
    const begun = this.#begun.shift();
    return begun === undefined ? undefined : performance.now() - begun;
  }

  // One of them will not come back, and nobody knows which.
  forget() {
    this.#begun.length = 0;
  }
}
