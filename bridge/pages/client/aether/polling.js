// A way to the bridge where WebSocket is blocked: Socket.IO 5 over Engine.IO 4 by long polling, as far as it is needed.
// It must never reconnect and never decide what a close means: `aether.js` does.

import { bytesIn } from "../pace.js";

const NAMESPACE = "/v3";
const SEPARATOR = "\x1e";
const MOST_KEPT_BYTES = 60_000; // browsers let requests that outlive their page have 64 KB together
const MOST_BYTES = MOST_KEPT_BYTES / 2; // in one POST of several packets: one may be under way when the page is left
const GOODBYE_BYTES = 100;
const LEAVING_MILLISECONDS = 50;
const TEXT = { "Content-Type": "text/plain;charset=UTF-8" };
const PONG = "3";
const LOST = 1006;
const CLOSES = {
  invalid_id: 4400,
  unauthenticated: 4401,
  token_expired: 4401,
  forbidden: 4403,
  stage_legacy: 4404,
  message_too_big: 1009,
  rate_limited: 4429,
  slow_consumer: 4508,
  overloaded: 4503,
  keys_unavailable: 4503,
  going_away: 1012,
};

// `origin`: https://host; `auth`: who connects; `events` = {linked(), heard(message), ended({code, reason, unsent})}.
export class PollingLink {
  #url;
  #auth;
  #events;
  #unsent = [];
  #posting;
  #isLinked = false;
  #hasEnded = false;
  #hasFailed = false;
  #answerMilliseconds;
  #pollMilliseconds;
  #maxPayload;
  #lastRefusal = "";
  #calls = new Set();
  #lastNumber = 0;
  #keptBytes = 0;
  #late;

  constructor(origin, auth, milliseconds, events) {
    this.#url = `${origin}/socket.io/?EIO=4&transport=polling`;
    this.#auth = auth;
    this.#events = events;
    this.#answerMilliseconds = this.#pollMilliseconds = milliseconds;
    this.#late = setTimeout(() => this.#end(LOST, `not open in ${milliseconds / 1000} s`), milliseconds);
    this.#run();
  }

  send(text) {
    this.#unsent.push(`42${NAMESPACE},["message",${text}]`);
    this.#post();
  }

  // Whether all that was said has arrived: what is unsaid goes along with the goodbye. A page that is left waits for
  // nothing. The poll is ended after it, or the session would be gone.
  async close(_code, _reason, isPageLeft) {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    clearTimeout(this.#late);
    if (!isPageLeft) await this.#posting;
    const isHeard = this.#isLinked && (isPageLeft || !this.#hasFailed);
    const isSaid = isHeard && (await this.#sayGoodbye().then(() => true, () => false));
    for (const call of this.#calls) call.abort();
    return isSaid && !this.#hasFailed;
  }

  async #sayGoodbye() {
    do {
      const batch = this.#batch();
      await this.#say(this.#unsent.length ? batch : [...batch, `41${NAMESPACE},`, "1"]);
    } while (this.#unsent.length);
  }

  async #run() {
    try {
      await this.#shakeHands();
      while (!this.#hasEnded) for (const packet of await this.#poll()) this.#take(packet);
    } catch {
      this.#fail();
    }
  }

  // A browser ends the requests of a page that is left before it tells the page so: then this is not the end.
  #fail() {
    setTimeout(() => this.#end(LOST, "lost"), LEAVING_MILLISECONDS);
  }

  async #shakeHands() {
    const [opening] = await this.#poll();
    const { sid, pingInterval, pingTimeout, maxPayload } = JSON.parse(opening.replace(/^0/, ""));
    this.#url += `&sid=${encodeURIComponent(sid)}`;
    this.#pollMilliseconds = pingInterval + pingTimeout;
    this.#maxPayload = maxPayload ?? 100_000;
    await this.#say([`40${NAMESPACE},${JSON.stringify(this.#auth)}`]);
  }

  async #poll() {
    return (await this.#call({ cache: "no-store" }, this.#pollMilliseconds)).split(SEPARATOR);
  }

  #say(packets) {
    const body = packets.join(SEPARATOR);
    return this.#call({ method: "POST", body, headers: TEXT }, this.#answerMilliseconds, bytesIn(body));
  }

  // What is small enough arrives even if the page is left meanwhile. Browsers may send a request twice: it has a number.
  async #call(request, milliseconds, bytes = 0) {
    const keepalive = bytes > 0 && this.#keptBytes + bytes < MOST_KEPT_BYTES;
    const keptBytes = keepalive ? bytes : 0;
    const call = new AbortController();
    const late = setTimeout(() => call.abort(), milliseconds);
    this.#calls.add(call);
    this.#keptBytes += keptBytes;
    try {
      const response = await fetch(`${this.#url}&n=${(this.#lastNumber += 1)}`, { ...request, keepalive, signal: call.signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return await response.text();
    } finally {
      clearTimeout(late);
      this.#calls.delete(call);
      this.#keptBytes -= keptBytes;
    }
  }

  #post() {
    if (this.#isLinked && !this.#hasEnded && !this.#hasFailed) this.#posting ??= this.#postAll();
  }

  // One POST at a time, or the order would be lost; and one for all that is said in one go.
  async #postAll() {
    await undefined;
    try {
      while (this.#unsent.length && !this.#hasEnded) await this.#say(this.#batch());
    } catch {
      this.#hasFailed = true;
      this.#fail();
    }
    this.#posting = undefined;
  }

  // What fits into one POST; what is taken out may have been said, whatever becomes of it.
  #batch() {
    let [count, size] = [0, GOODBYE_BYTES];
    for (const packet of this.#unsent) {
      size += bytesIn(packet) + 1;
      if (count > 0 && size > Math.min(this.#maxPayload, MOST_BYTES)) break;
      count += 1;
    }
    return this.#unsent.splice(0, count);
  }

  #take(packet) {
    if (packet === "2") this.#answerPing();
    else if (packet === "1") this.#end(CLOSES[this.#lastRefusal] ?? LOST, this.#lastRefusal);
    else if (packet.startsWith("4")) this.#hear(packet.slice(1));
  }

  #answerPing() {
    this.#unsent.unshift(PONG);
    this.#post();
  }

  #hear(packet) {
    const [type, text] = [packet[0], packet.slice(1).replace(/^\/[^,]*,?/, "")];
    if (type === "0") this.#link();
    else if (type === "1") this.#end(CLOSES[this.#lastRefusal] ?? LOST, this.#lastRefusal);
    else if (type === "2") this.#event(JSON.parse(text));
    else if (type === "4") this.#refused(JSON.parse(text));
  }

  #link() {
    this.#isLinked = true;
    clearTimeout(this.#late);
    this.#events.linked();
    this.#post();
  }

  #event([name, message]) {
    if (name !== "message" || this.#hasEnded) return;
    const heard = typeof message === "string" ? JSON.parse(message) : message;
    if (heard.cmd === "ERROR" && heard.from_id === "server") this.#lastRefusal = heard.payload?.code ?? "";
    this.#events.heard(heard);
  }

  // The refusal of a handshake, in the words in which a WebSocket hears it.
  #refused({ message: msg, data: payload }) {
    const { group_id } = this.#auth;
    const server = { version: "3", msg_type: "cmd", target: "echo", from_id: "server", group_id, cmd: "ERROR" };
    if (payload?.code) this.#events.heard({ ...server, msg, payload, sent_at: new Date().toISOString() });
    this.#end(CLOSES[payload?.code] ?? LOST, payload?.code ?? "");
  }

  #end(code, reason) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#late);
    for (const call of this.#calls) call.abort();
    this.#events.ended({ code, reason, unsent: this.#unsent.filter((packet) => packet !== PONG).map(textIn) });
  }
}

const textIn = (packet) => packet.slice(`42${NAMESPACE},["message",`.length, -1);
