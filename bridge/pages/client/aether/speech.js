// What the page says: in its order, within the bridge's limits, and confirmed by an echo that comes back after it. It
// must never say a thing twice, and never forget one without telling it.

import { Pace } from "../pace.js";

const UNCONFIRMED_MILLISECONDS = 1000;
const utf8 = new TextEncoder();

export class Speech {
  #pace = new Pace();
  #waiting = [];
  #onTheirWay = []; // {text}: handed to the link, and not confirmed
  #link = null;
  #isAsking = false;
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
    this.#speak();
  }

  // The bridge has refused something unread: nobody knows what.
  slowDown() {
    this.#pace.rest();
    this.#dropUnconfirmed(this.#onTheirWay.splice(0));
  }

  // The link has ended. `unsent`: what it has certainly not said; `isSaid`: whether all else has arrived, or a promise.
  async pause(unsent = [], isSaid = false) {
    this.#link = null;
    this.#isAsking = false;
    clearTimeout(this.#turn);
    this.#forgetQuestion();
    for (const text of unsent.slice().reverse()) {
      if (this.#onTheirWay.at(-1)?.text === text) this.#waiting.unshift(this.#onTheirWay.pop().text);
    }
    const last = this.#onTheirWay.splice(0);
    if (isSaid === false || !(await isSaid)) this.#dropUnconfirmed(last);
  }

  // Nothing more is said.
  end(isSaid) {
    this.pause([], isSaid);
    for (const text of this.#waiting.splice(0)) this.#drop(text, "closed");
  }

  #isTooBig(text) {
    return text.length * 3 > this.#pace.maxBytes && utf8.encode(text).length > this.#pace.maxBytes;
  }

  #speak() {
    clearTimeout(this.#turn);
    while (this.#link && this.#waiting.length && this.#onTheirWay.length < this.#pace.mostOnTheirWay) {
      const pause = this.#pace.pause(performance.now());
      if (pause > 0) {
        this.#turn = setTimeout(() => this.#speak(), pause);
        break;
      }
      this.#hand(this.#waiting.shift());
    }
    if (this.#link && this.#onTheirWay.length && !this.#isAsking) this.#ask();
  }

  #hand(text) {
    if (this.#isTooBig(text)) {
      this.#drop(text, "too_big"); // the limits were not known yet when it was said
      return;
    }
    this.#pace.spend();
    this.#onTheirWay.push({ text });
    this.#link.send(text);
  }

  // A second after the first of them, or when many are on their way.
  #ask() {
    const isMany = this.#onTheirWay.length * 2 >= this.#pace.mostOnTheirWay;
    if (isMany) this.#askNow();
    else this.#askLater();
  }

  #askLater() {
    this.#question ??= setTimeout(() => this.#askNow(), UNCONFIRMED_MILLISECONDS);
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
    if (isConfirmed) this.#onTheirWay.splice(0, this.#onTheirWay.indexOf(last) + 1);
    this.#isAsking = false;
    if (isConfirmed) this.#speak();
    else this.#askLater();
  }

  #dropUnconfirmed(messages) {
    for (const { text } of messages) this.#drop(text, "unconfirmed");
  }
}
