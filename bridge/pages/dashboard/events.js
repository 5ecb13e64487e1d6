// Hears what the bridge tells by itself: the state of all tenants, whenever it changes. When the connection ends it
// comes back after a pause, longer and longer and never in step with others; it gives up only where the key is refused.

import { EventReader } from "./event_reader.js";

const FIRST_PAUSE_MILLISECONDS = 500;
const LONGEST_PAUSE_MILLISECONDS = 30_000;
// The bridge says something every few seconds, if only that it is there.
const SILENCE_MILLISECONDS = 45_000;

export class Events {
  #api;
  #told;
  #end = new AbortController();

  // `told.states(states)`; `told.link(link)`, which is `live`, `away` while the bridge cannot reach Redis, or `lost`; and
  // `told.refused(refusal)`, after which nothing more is told.
  constructor(api, told) {
    this.#api = api;
    this.#told = told;
  }

  async listen() {
    let failures = 0;
    const heard = () => {
      failures = 0;
    };
    while (!this.#end.signal.aborted) {
      const refusal = await this.#listenOnce(heard).catch((problem) => problem);
      if (this.#end.signal.aborted) return;
      if (refusal?.isAboutTheKey) return this.#told.refused(refusal);
      this.#told.link("lost");
      await pause(pauseAfter(failures), this.#end.signal);
      failures += 1;
    }
  }

  stop() {
    this.#end.abort();
  }

  async #listenOnce(heard) {
    const attempt = new AbortController();
    const silence = new Silence(() => attempt.abort());
    try {
      await this.#hear(AbortSignal.any([attempt.signal, this.#end.signal]), silence, heard);
    } finally {
      silence.end();
    }
  }

  async #hear(signal, silence, heard) {
    const body = await this.#api.events(signal);
    const pieces = body.pipeThrough(new TextDecoderStream()).getReader();
    const reader = new EventReader();
    for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
      silence.break();
      heard();
      for (const event of reader.read(piece.value)) this.#tell(event);
    }
  }

  #tell({ name, data }) {
    if (name === "away") this.#told.link("away");
    if (name !== "tenants") return;
    this.#told.link("live");
    this.#told.states(JSON.parse(data));
  }
}

class Silence {
  #timer;
  #tooLong;

  constructor(tooLong) {
    this.#tooLong = tooLong;
    this.break();
  }

  break() {
    this.end();
    this.#timer = setTimeout(this.#tooLong, SILENCE_MILLISECONDS);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

function pauseAfter(failures) {
  const longest = Math.min(FIRST_PAUSE_MILLISECONDS * 2 ** failures, LONGEST_PAUSE_MILLISECONDS);
  return longest * (0.5 + Math.random());
}

function pause(milliseconds, signal) {
  return new Promise((over) => {
    setTimeout(over, milliseconds);
    signal.addEventListener("abort", over, { once: true });
  });
}
