// What the bridge says, on its way to the page: in its order, once it is known by which V2 ids it is spoken of. It must
// never keep a page waiting for ever.

import { questionForIds } from "./interpreter.js";
import { membersOf } from "./json.js";

const MOST_HELD = 10_000; // as many as a bridge keeps; then nobody waits for an answer: names are told as they are
const AGAIN_MILLISECONDS = 1000;

export class Incoming {
  #interpreter;
  #ask;
  #show;
  #held = [];
  #asked;
  #again;

  // `ask(frame)` goes to the bridge, `show(message)` on to the page.
  constructor(interpreter, ask, show) {
    this.#interpreter = interpreter;
    this.#ask = ask;
    this.#show = show;
  }

  hold(message) {
    this.#held.push(message);
    return this.#held.length < MOST_HELD;
  }

  take(message) {
    const ids = message.get("msg_type") === "heartbeat" && membersOf(message.get("payload"))?.get("v2_ids");
    if (ids) this.#learn(membersOf(ids));
    else if (!this.hold(message)) this.#learn();
    this.go();
  }

  go() {
    while (this.#held.length && this.#asked === undefined) {
      const unknown = this.#interpreter.unknownNames(this.#held[0]);
      if (unknown.length) this.#askFor(unknown);
      else this.#show(this.#held.shift());
    }
  }

  // A question may be among what the bridge has refused.
  repeat() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#asked && this.#ask(questionForIds(this.#asked)), AGAIN_MILLISECONDS);
  }

  // There will be no more answers.
  end() {
    clearTimeout(this.#again);
    while (this.#held.length) {
      this.#learn();
      this.#interpreter.learn(this.#interpreter.unknownNames(this.#held[0]));
      this.#show(this.#held.shift());
    }
  }

  #askFor(names) {
    this.#asked = names;
    this.#ask(questionForIds(names));
  }

  #learn(ids) {
    this.#interpreter.learn(this.#asked ?? [], ids);
    this.#asked = undefined;
  }
}
