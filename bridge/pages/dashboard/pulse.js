// How many messages a tenant's clients said within the last minute, from counters that only grow, or start anew when a
// process does. Pure but for the clock that it is told. It forgets what is older than a minute.

const MINUTE_SECONDS = 60;
const SHORTEST_SECONDS = 10;

export class Pulse {
  #last;
  #samples = [];

  // `counters` = {v2, v3}, as the tenant's state has them; `now` in seconds.
  note(counters, now) {
    const before = this.#last ?? counters;
    const said = { v2: grown(before.v2, counters.v2), v3: grown(before.v3, counters.v3) };
    this.#last = counters;
    this.#samples.push({ now, said: this.#samples.length === 0 ? { v2: 0, v3: 0 } : said });
  }

  // `undefined` until it has listened for a while.
  perMinute(now) {
    while (this.#samples.length > 1 && this.#samples[1].now <= now - MINUTE_SECONDS) this.#samples.shift();
    const seconds = Math.min(now - (this.#samples[0]?.now ?? now), MINUTE_SECONDS);
    if (seconds < SHORTEST_SECONDS) return undefined;
    const later = this.#samples.slice(1);
    return { v2: sum(later, "v2") * (MINUTE_SECONDS / seconds), v3: sum(later, "v3") * (MINUTE_SECONDS / seconds) };
  }
}

function grown(before, after) {
  return Math.max(after - before, 0);
}

function sum(samples, side) {
  return samples.reduce((total, { said }) => total + said[side], 0);
}
