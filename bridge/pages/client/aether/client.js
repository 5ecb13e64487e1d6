// The client itself: which connection there is, what waits for one, and what is told to the page. It must never say a
// thing twice, and never keep a page waiting without telling it.

import { addressOf, authOf, openSocket, originOf } from "./link.js";
import { PollingLink } from "./polling.js";
import { comesBackChanged, pauseAfter } from "./return.js";
import { Waiting } from "./waiting.js";

const DEFAULTS = {
  heartbeatSeconds: 45,
  answerSeconds: 10, // to open, and to answer a heartbeat, before a connection counts as lost
  stableSeconds: 10, // open so long, the next loss begins with the shortest pause again
  firstPauseSeconds: 0.5,
  longestPauseSeconds: 30,
  maxQueued: 256,
  transports: ["websocket", "polling"],
};
const FAILURES_BEFORE_POLLING = 2;

export function connect(options) {
  return new AetherClient(options);
}

export class AetherClient extends EventTarget {
  #options;
  #state = "connecting";
  #link = null;
  #transport;
  #token;
  #queue = [];
  #asked = new Waiting();
  #heartbeats;
  #comingBack;
  #losses = 0; // since a connection was stable
  #unopened = 0; // WebSockets in a row that never opened
  #openedAt; // null: not even a link; undefined: not admitted yet
  #retryAfter; // milliseconds, as `going_away` asked for
  #isRenewed = false;
  #online = () => this.#state === "waiting" && this.#retryAfter === undefined && this.#begin();

  constructor(options) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    addressOf(this.#options); // a mistake in it is thrown here, not later
    globalThis.addEventListener?.("online", this.#online);
    this.#begin();
  }

  get state() {
    return this.#state;
  }

  get transport() {
    return this.#state === "open" ? this.#transport : undefined;
  }

  get queued() {
    return this.#queue.length;
  }

  // "sent", "queued" or "dropped".
  send(message) {
    const text = JSON.stringify(message);
    if (this.#state === "closed") return this.#drop(text, "closed");
    if (this.#state === "open") {
      this.#link.send(text);
      return "sent";
    }
    this.#queue.push(text);
    while (this.#queue.length > this.#options.maxQueued) this.#drop(this.#queue.shift(), "queue_full");
    return this.#queue.length ? "queued" : "dropped";
  }

  say(msg, payload) {
    return this.send({ msg_type: "msg", target: "group", msg, payload });
  }

  command(cmd, payload) {
    return this.send({ msg_type: "cmd", target: "group", cmd, payload });
  }

  // `what`: a text, or {msg, cmd, payload}.
  direct(to_id, what) {
    return this.send({ target: "direct", to_id, ...contentOf(what) });
  }

  broadcast(what) {
    return this.send({ target: "broadcast", ...contentOf(what) });
  }

  // The milliseconds of one round trip. It is a heartbeat too.
  async echo() {
    const begun = performance.now();
    await this.#ask((ask) => ({ msg_type: "heartbeat", target: "echo", payload: { ask } }));
    return performance.now() - begun;
  }

  // Who is in the group: [{client_id, protocol, since}].
  async members() {
    const { payload } = await this.#ask((ask) => ({ msg_type: "presence", target: "echo", payload: { ask } }));
    return payload.members;
  }

  close(code = 1000, reason = "") {
    if (this.#state === "closed") return;
    this.#leave(code, reason);
    this.#finish({ code, reason });
  }

  // Handlers of `detail`; the returned function takes this one away.
  on(type, handler) {
    const listener = ({ detail }) => handler(detail);
    this.addEventListener(type, listener);
    return () => this.removeEventListener(type, listener);
  }

  async #begin() {
    clearTimeout(this.#comingBack);
    const mine = (this.#link = {}); // whoever comes later makes this attempt a stranger
    this.#openedAt = undefined;
    this.#retryAfter = undefined;
    this.#become("connecting");
    const { jwt } = this.#options;
    try {
      const token = typeof jwt === "function" ? await jwt() : jwt;
      if (mine === this.#link) this.#openWith(token);
    } catch (error) {
      if (mine === this.#link) this.#ended({ code: 1006, reason: String(error) });
    }
  }

  #openWith(token) {
    if (this.#isRenewed && token === this.#token) {
      this.#finish({ code: 4401, reason: "the new token is the old one" });
      return;
    }
    this.#token = token;
    this.#openedAt = null;
    this.#transport = this.#chosen();
    const options = { ...this.#options, jwt: token };
    const link = this.#transport === "polling"
      ? new PollingLink(originOf(options), authOf(options), this.#events(() => link))
      : openSocket(addressOf(options), options.answerSeconds * 1000, this.#events(() => link));
    this.#link = link;
  }

  #chosen() {
    const { transports } = this.#options;
    const isBlocked = this.#unopened >= FAILURES_BEFORE_POLLING || globalThis.WebSocket === undefined;
    return transports.includes("polling") && (isBlocked || !transports.includes("websocket")) ? "polling" : "websocket";
  }

  // What a link tells, as long as it is ours.
  #events(link) {
    const mine = (act) => (said) => link() === this.#link && act(said);
    return {
      linked: mine(() => this.#linked()),
      heard: mine((message) => this.#heard(message)),
      ended: mine((end) => this.#ended(end)),
    };
  }

  // Admitted is who gets the first heartbeat back: until then nothing else is said.
  #linked() {
    if (this.#transport === "websocket") this.#unopened = 0;
    this.#openedAt = undefined;
    this.#beat(() => this.#admitted());
    this.#heartbeats = setInterval(() => this.#beat(), this.#options.heartbeatSeconds * 1000);
  }

  #admitted() {
    this.#openedAt = performance.now();
    this.#isRenewed = false;
    for (const text of this.#queue.splice(0)) this.#link.send(text);
    this.#become("open");
  }

  #beat(answered = () => {}) {
    const { answerSeconds } = this.#options;
    const lost = () => this.#ended({ code: 1006, reason: `no answer in ${answerSeconds} s` });
    const message = (ask) => ({ msg_type: "heartbeat", target: "echo", payload: { ask } });
    this.#asked.ask(message, this.#link, answerSeconds * 1000, lost).then(answered, () => {});
  }

  #ask(message) {
    if (this.#state !== "open") return Promise.reject(new Error(`not connected: ${this.#state}`));
    return this.#asked.ask(message, this.#link, this.#options.answerSeconds * 1000);
  }

  #heard(message) {
    const { msg_type, cmd, from_id, payload } = message;
    const isOfBridge = msg_type === "cmd" && from_id === "server" && ["ERROR", "GAP"].includes(cmd);
    if (isOfBridge && cmd === "ERROR") this.#refused(payload ?? {});
    else if (message.target === "echo") this.#asked.answer(message);
    if (msg_type === "presence" && ["JOIN", "LEAVE"].includes(cmd)) this.#tell(cmd.toLowerCase(), message);
    this.#tell(isOfBridge ? cmd.toLowerCase() : msg_type, message);
    this.#tell("message", message);
  }

  #refused({ code, refused, retry_after_ms }) {
    if (code === "going_away") this.#retryAfter = retry_after_ms;
    if (code === "rate_limited") this.#asked.refuseAll(code); // a heartbeat may be among what was refused
    if (refused?.msg_type === "presence" && refused.target === "echo") this.#asked.refuse("presence", code);
  }

  #ended({ code, reason, unsent = [] }) {
    const opened = this.#openedAt;
    this.#leave(1000, "");
    this.#queue.unshift(...unsent);
    if (this.#transport === "websocket" && opened === null) this.#unopened += 1;
    if (this.#transport === "polling" && opened === null) this.#unopened = 0;
    this.#losses = opened && performance.now() - opened > this.#options.stableSeconds * 1000 ? 1 : this.#losses + 1;
    this.#comeBack({ code, reason });
  }

  #comeBack({ code, reason }) {
    const isRenewable = comesBackChanged(code) && typeof this.#options.jwt === "function" && !this.#isRenewed;
    const pause = isRenewable ? 0 : pauseAfter(code, this.#losses, this.#retryAfter, this.#options);
    if (pause === null) {
      this.#finish({ code, reason });
      return;
    }
    this.#isRenewed ||= isRenewable;
    const isNext = this.#transport === "websocket" && this.#unopened > 0 && this.#chosen() === "polling";
    const pauseMilliseconds = isNext ? 0 : pause;
    this.#comingBack = setTimeout(() => this.#begin(), pauseMilliseconds);
    this.#become("waiting", { code, reason, pauseMilliseconds });
  }

  #leave(code, reason) {
    this.#link?.close?.(code, reason);
    clearTimeout(this.#comingBack);
    clearInterval(this.#heartbeats);
    this.#link = null;
    this.#asked.refuseAll("the connection was lost");
  }

  #finish(end) {
    globalThis.removeEventListener?.("online", this.#online);
    this.#link = null;
    this.#become("closed", end);
    for (const text of this.#queue.splice(0)) this.#drop(text, "closed");
  }

  #drop(text, reason) {
    this.#tell("dropped", { message: JSON.parse(text), reason });
    return "dropped";
  }

  #become(state, more = {}) {
    this.#state = state;
    this.#tell("state", { state, transport: this.transport, ...more });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function contentOf(what) {
  const content = typeof what === "string" ? { msg: what } : what;
  return { msg_type: content.cmd === undefined ? "msg" : "cmd", ...content };
}
