// How fast the bridge may be spoken to: within its own limits, so that it refuses nothing. Pure: callers pass in the time.
// However late what is said arrives, and all of it at once, there must never be more than the bridge takes.

const OF_BURST = 0.4; // may be said at once, and as much may be on its way; the rest is for heartbeats and questions
const TIGHT_BURST = 5; // below it there is no such rest: one thing at a time, and half as fast
const REST_SECONDS = 1; // after a refusal for rate

export const bytesIn = (text) => new TextEncoder().encode(text).length;

export class Pace {
  #bridgesBurst;
  #burst;
  #perSecond;
  #tokens;
  #at; // milliseconds
  maxBytes;

  constructor() {
    this.learn({});
    this.#tokens = this.#burst;
  }

  // What the bridge says of its limits; else what is usual. The question itself has cost as much as one thing said.
  learn({ messages_per_second = 100, burst = 200, max_message_bytes = 65_536 }) {
    this.#perSecond = (messages_per_second || Infinity) * (burst < TIGHT_BURST ? 0.5 : 1);
    this.#bridgesBurst = burst;
    this.#burst = Math.max(1, Math.floor(burst * OF_BURST));
    this.#tokens = Math.min(this.#tokens ?? this.#burst, this.#burst) - 1;
    this.maxBytes = max_message_bytes;
  }

  // How many may be said at once if nothing is said after them.
  get mostAtTheEnd() {
    return this.#perSecond === Infinity ? Infinity : Math.floor(this.#tokens + this.#bridgesBurst - this.#burst);
  }

  get mostOnTheirWay() {
    return this.#perSecond === Infinity ? Infinity : this.#burst;
  }

  // Milliseconds until one more may be said.
  pause(now) {
    if (this.#perSecond === Infinity) return 0;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - (this.#at ?? now)) / 1000) * this.#perSecond);
    this.#at = now;
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / this.#perSecond) * 1000;
  }

  spend() {
    this.#tokens -= 1;
  }

  rest() {
    this.#tokens = Math.min(this.#tokens, 1 - REST_SECONDS * this.#perSecond);
  }
}
