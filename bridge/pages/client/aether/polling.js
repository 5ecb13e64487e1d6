// A way to the bridge where WebSocket is blocked: Socket.IO 5 over Engine.IO 4 by long polling, as far as it is needed.
// It must never reconnect and never decide what a close means: `aether.js` does.

const NAMESPACE = "/v3";
const SEPARATOR = "\x1e";
const MOST_PACKETS = 16; // in one POST; Engine.IO takes no more
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
  #isPosting = false;
  #isLinked = false;
  #hasEnded = false;
  #patience = 10_000;
  #maxPayload;
  #lastRefusal = "";
  #calls = new Set();

  constructor(origin, auth, events) {
    this.#url = `${origin}/socket.io/?EIO=4&transport=polling`;
    this.#auth = auth;
    this.#events = events;
    this.#run();
  }

  send(text) {
    this.#unsent.push(`42${NAMESPACE},["message",${text}]`);
    this.#post();
  }

  // Goodbye is said on the way out, and not waited for.
  close() {
    if (this.#hasEnded) return;
    this.#stop();
    if (this.#isLinked) fetch(this.#url, this.#body([`41${NAMESPACE},`, "1"], true)).catch(() => {});
  }

  #stop() {
    this.#hasEnded = true;
    for (const call of this.#calls) call.abort();
  }

  async #run() {
    try {
      await this.#shakeHands();
      while (!this.#hasEnded) for (const packet of await this.#poll()) this.#take(packet);
    } catch {
      this.#end(LOST, "lost");
    }
  }

  async #shakeHands() {
    const [opening] = await this.#poll();
    const { sid, pingInterval, pingTimeout, maxPayload } = JSON.parse(opening.replace(/^0/, ""));
    this.#url += `&sid=${encodeURIComponent(sid)}`;
    this.#patience = pingInterval + pingTimeout;
    this.#maxPayload = maxPayload ?? 100_000;
    await this.#call(this.#body([`40${NAMESPACE},${JSON.stringify(this.#auth)}`]));
  }

  async #poll() {
    return (await this.#call({ cache: "no-store" })).split(SEPARATOR);
  }

  async #call(request) {
    const call = new AbortController();
    const late = setTimeout(() => call.abort(), this.#patience);
    this.#calls.add(call);
    try {
      const response = await fetch(this.#url, { ...request, signal: call.signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return await response.text();
    } finally {
      clearTimeout(late);
      this.#calls.delete(call);
    }
  }

  #body(packets, keepalive = false) {
    const headers = { "Content-Type": "text/plain;charset=UTF-8" };
    return { method: "POST", body: packets.join(SEPARATOR), headers, keepalive };
  }

  // One POST at a time, or the order would be lost.
  async #post() {
    if (this.#isPosting || !this.#isLinked || this.#hasEnded) return;
    this.#isPosting = true;
    try {
      while (this.#unsent.length && !this.#hasEnded) await this.#call(this.#body(this.#batch()));
    } catch {
      this.#end(LOST, "lost");
    }
    this.#isPosting = false;
  }

  // What fits into one POST; what is taken out may have been said, whatever becomes of it.
  #batch() {
    let [count, size] = [0, 0];
    for (const packet of this.#unsent.slice(0, MOST_PACKETS)) {
      size += packet.length * 3 + 1;
      if (count > 0 && size > this.#maxPayload) break;
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
    this.#call(this.#body(["3"])).catch(() => this.#end(LOST, "lost"));
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
    this.#stop();
    this.#events.ended({ code, reason, unsent: this.#unsent.map(textIn) });
  }
}

const textIn = (packet) => packet.slice(`42${NAMESPACE},["message",`.length, -1);
