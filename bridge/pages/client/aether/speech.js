// What the page says: in its order, within the bridge's limits, and confirmed by an echo that comes back after it. It
// must never say a thing twice, and never forget one without telling it.

import { bytesIn, Pace } from "../pace.js";

const UNCONFIRMED_MILLISECONDS = 1000;
const MOST_CHARACTERS_ON_THEIR_WAY = 100_000; // or, on a slow line, no answer would come through behind them in time

export class Speech {
  #pace = new Pace();
  #waiting = [];
  #onTheirWay = []; // {text}: handed to the link, and not confirmed
  #charactersOnTheirWay = 0;
  #link = null;
  #isHeld = false;
  #isAsking = false;
  #aside;
  #turn;
  #question;
  #mostWaiting;
  #drop;
  #confirm;

  // `drop(text, reason)` tells the page; `confirm()` is fulfilled when the bridge has had all that was said before it.
  constructor(mostWaiting, drop, confirm) {
    this.#mostWaiting = mostWaiting;
    this.#drop = drop;
    this.#confirm = confirm;
  }

  get waiting() {
    return this.#waiting.length;
  }

  // "sent", "queued" or "dropped".
  say(text) {
    if (this.#isTooBig(text)) return this.#drop(text, "too_big");
    this.#waiting.push(text);
    this.#speak();
    if (!this.#waiting.length) return "sent";
    while (this.#waiting.length > this.#mostWaiting) this.#drop(this.#waiting.shift(), "queue_full");
    return this.#waiting.length ? "queued" : "dropped";
  }

  learn(limits) {
    if (typeof limits === "object") this.#pace.learn(limits);
  }

  begin(link) {
    this.#link = link;
    this.#isHeld = false;
    this.#speak();
  }

  // Not the page's: as soon as the limits allow it, ahead of what waits. It may be lost, and is said once at most.
  aside(text) {
    this.#aside = text;
    this.#speak();
  }

  // The bridge has refused something unread: nobody knows what.
  slowDown() {
    this.#pace.rest();
    this.#dropUnconfirmed(this.#taken());
  }

  // The link ends in a moment: what is said from now on waits for the next.
  hold() {
    this.#isHeld = true;
  }

  // Nothing is said after this: of what waits, as much as the bridge takes at once is handed on.
  hurry() {
    if (!this.#link || this.#isHeld) return;
    for (const text of this.#waiting.splice(0, Math.max(0, this.#pace.mostAtTheEnd))) this.#hand(text);
  }

  // The link has ended. `unsent`: what it has certainly not said; `isSaid`: whether all else has arrived, or a promise.
  async pause(unsent = [], isSaid = false) {
    this.#link = null;
    this.#aside = undefined;
    this.#isAsking = false;
    clearTimeout(this.#turn);
    this.#forgetQuestion();
    for (const text of unsent.slice().reverse()) {
      if (this.#onTheirWay.at(-1)?.text !== text) continue;
      this.#waiting.unshift(text);
      this.#onTheirWay.pop();
      this.#charactersOnTheirWay -= text.length;
    }
    const last = this.#taken();
    if (isSaid === false || !(await isSaid)) this.#dropUnconfirmed(last);
  }

  // Nothing more is said.
  end(isSaid) {
    this.pause([], isSaid);
    for (const text of this.#waiting.splice(0)) this.#drop(text, "closed");
  }

  #isTooBig(text) {
    return text.length * 3 > this.#pace.maxBytes && bytesIn(text) > this.#pace.maxBytes;
  }

  #speak() {
    clearTimeout(this.#turn);
    while (this.#link && !this.#isHeld && (this.#aside || this.#waiting.length) && !this.#isFull(1)) {
      const pause = this.#pace.pause(performance.now());
      if (pause > 0) {
        this.#turn = setTimeout(() => this.#speak(), pause);
        break;
      }
      if (this.#aside) this.#sayAside();
      else this.#hand(this.#waiting.shift());
    }
    if (this.#link && this.#onTheirWay.length && !this.#isAsking) this.#ask();
  }

  #sayAside() {
    this.#pace.spend();
    this.#link.send(this.#aside);
    this.#aside = undefined;
  }

  #hand(text) {
    if (this.#isTooBig(text)) {
      this.#drop(text, "too_big"); // the limits were not known yet when it was said
      return;
    }
    this.#pace.spend();
    this.#onTheirWay.push({ text });
    this.#charactersOnTheirWay += text.length;
    this.#link.send(text);
  }

  // Whether as much is on its way as this share of what may be.
  #isFull(share) {
    return this.#onTheirWay.length >= this.#pace.mostOnTheirWay * share
      || this.#charactersOnTheirWay >= MOST_CHARACTERS_ON_THEIR_WAY * share;
  }

  // The first of what is on its way, which is it no more.
  #taken(count = this.#onTheirWay.length) {
    const taken = this.#onTheirWay.splice(0, count);
    for (const { text } of taken) this.#charactersOnTheirWay -= text.length;
    return taken;
  }

  // A second after the first of them, or when many are on their way.
  #ask() {
    const pause = this.#pace.pause(performance.now());
    if (this.#isFull(0.5) && pause === 0) this.#askNow();
    else this.#askLater(this.#isFull(0.5) ? pause : UNCONFIRMED_MILLISECONDS);
  }

  #askLater(milliseconds) {
    this.#question ??= setTimeout(() => this.#askNow(), milliseconds);
  }

  #forgetQuestion() {
    clearTimeout(this.#question);
    this.#question = undefined;
  }

  async #askNow() {
    const [link, last] = [this.#link, this.#onTheirWay.at(-1)];
    this.#forgetQuestion();
    this.#isAsking = true;
    this.#pace.spend();
    const isConfirmed = await this.#confirm().then(() => true, () => false);
    if (link !== this.#link) return;
    if (isConfirmed) this.#taken(this.#onTheirWay.indexOf(last) + 1);
    this.#isAsking = false;
    if (isConfirmed) this.#speak();
    else this.#askLater(UNCONFIRMED_MILLISECONDS);
  }

  #dropUnconfirmed(messages) {
    for (const { text } of messages) this.#drop(text, "unconfirmed");
  }
}
