// What a page says, on its way to the bridge: in its order, and within the bridge's limits. It must never lose a word
// without telling the page.

import { CONFIRM } from "./interpreter.js";
import { Pace } from "../pace.js";

const MOST_WAITING = 1000; // then the page is told that it says too much, as the bridge would
const OWN_MILLISECONDS = 50; // one frame in so long tells the page all that it is to hear of itself
const MOST_OWN_CHARACTERS = 15_000; // in one frame

export class Outgoing {
  #interpreter;
  #transmit;
  #refuse;
  #pace = new Pace();
  #onTheirWay = 0; // frames that the bridge may not have taken yet: however late they come, they are not too many
  #asked = 0; // so many of them are taken when CONFIRM comes back
  #waiting = [];
  #waitingCharacters = 0;
  #own = [];
  #ownCharacters = 0;
  #turn;
  #gathering;
  #atEnd;

  // `transmit(frame)` to the bridge; `refuse(code)` tells the page that what it said is lost.
  constructor(interpreter, transmit, refuse) {
    this.#interpreter = interpreter;
    this.#transmit = transmit;
    this.#refuse = refuse;
  }

  get isBusy() {
    return this.#waiting.length + this.#own.length > 0;
  }

  get waitingCharacters() {
    return this.#waitingCharacters;
  }

  learn(limits) {
    this.#pace.learn(limits);
  }

  // The bridge has refused something unread, perhaps the question.
  rest() {
    this.#pace.rest();
    this.#onTheirWay = this.#asked = 0;
    this.#go();
  }

  confirm() {
    this.#onTheirWay -= this.#asked;
    this.#asked = 0;
    this.#go();
  }

  say(text) {
    const { frame, own } = this.#interpreter.said(text);
    if (own === undefined && this.#own.length) this.#sayOwn(); // it was said before
    if (frame !== undefined) this.put(frame);
    if (own !== undefined) this.#gather(own);
  }

  put(frame) {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#refuse("rate_limited");
      return;
    }
    this.#waiting.push(frame);
    this.#waitingCharacters += frame.length;
    this.#go();
  }

  // Ahead of all that waits.
  ask(frame) {
    this.#pace.spend();
    this.#transmit(frame);
  }

  // `act` when all is said.
  end(act) {
    this.#sayOwn();
    if (this.#waiting.length) this.#atEnd = act;
    else act();
  }

  stop() {
    clearTimeout(this.#turn);
    clearTimeout(this.#gathering);
  }

  #gather(text) {
    if (this.#ownCharacters + text.length > MOST_OWN_CHARACTERS) this.#sayOwn();
    this.#own.push(text);
    this.#ownCharacters += text.length;
    if (this.#gathering === undefined) this.#sayOwn();
  }

  #sayOwn() {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const own = this.#own.splice(0);
    this.#ownCharacters = 0;
    if (!own.length) return;
    this.put(this.#interpreter.toOneself(own));
    this.#waitToSayOwn();
  }

  // Not while other things wait: they go first, or it would cost the page a part of what it may say.
  #waitToSayOwn() {
    const look = () => (this.#waiting.length ? this.#waitToSayOwn() : this.#sayOwn());
    this.#gathering = setTimeout(look, OWN_MILLISECONDS);
  }

  #go() {
    clearTimeout(this.#turn);
    const most = this.#pace.mostOnTheirWay;
    while (this.#waiting.length && this.#onTheirWay < most && this.#isInTime()) this.#hand(this.#waiting.shift());
    if (!this.#asked && this.#onTheirWay * 2 >= most && this.#isInTime()) this.#askWhetherTaken();
    if (!this.#waiting.length) this.#atEnd?.();
  }

  // Whether one more may be said now; else there will be another look.
  #isInTime() {
    const pause = this.#pace.pause(performance.now());
    clearTimeout(this.#turn);
    if (pause > 0) this.#turn = setTimeout(() => this.#go(), pause);
    return pause === 0;
  }

  #hand(frame) {
    this.#pace.spend();
    this.#onTheirWay += 1;
    this.#waitingCharacters -= frame.length;
    this.#transmit(frame);
  }

  #askWhetherTaken() {
    this.#asked = this.#onTheirWay;
    this.ask(CONFIRM);
  }
}
