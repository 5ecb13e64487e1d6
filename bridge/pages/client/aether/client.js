// The client itself: which connection there is, what waits for one, and what is told to the page. It must never say a
// thing twice, and never keep a page waiting without telling it.

import { addressOf, authOf, originOf, SocketLink } from "./link.js";
import { watchNetwork } from "./network.js";
import { optionsFrom, transportFor } from "./options.js";
import { PollingLink } from "./polling.js";
import { isOfBridge, Position } from "../position.js";
import { comesBackChanged, pauseAfter, tokenFrom } from "./return.js";
import { Speaker } from "./speaker.js";
import { Speech } from "./speech.js";
import { Waiting } from "./waiting.js";

const LONGEST_PROBE_SECONDS = 10;
const AGAIN_MILLISECONDS = 1000; // after a refusal
const NEWS_OF_BRIDGE = ["ERROR", "GAP", "RESUMED"];
const CALLS_BACK = ["going_away", "token_expired"]; // and closes
const CURSOR_QUESTION = JSON.stringify({ msg_type: "heartbeat", target: "echo", payload: { cursor: true } });

export function connect(options) {
  return new AetherClient(options);
}

export class AetherClient extends Speaker {
  #options;
  #state = "connecting";
  #link = null;
  #transport;
  #token;
  #speech;
  #asked = new Waiting();
  #position;
  #heartbeats;
  #comingBack;
  #unwatch;
  #losses = 0; // since a connection was stable
  #unopened = 0; // WebSockets in a row that never opened
  #openedAt; // null: not even a link; undefined: not admitted yet
  #retryAfter; // milliseconds, as `going_away` asked for
  #unwelcome = null; // {token}, with which 4401 was heard last
  #isProbing = false;

  constructor(options) {
    super();
    this.#options = optionsFrom(options);
    this.#position = new Position(this.#options.since);
    const confirm = () => this.#question({ msg_type: "msg", target: "echo" }, this.#options.answerSeconds);
    this.#speech = new Speech(this.#options.maxQueued, (text, reason) => this.#drop(text, reason), confirm);
    this.#unwatch = watchNetwork(this.#network());
    this.#begin();
  }

  get state() {
    return this.#state;
  }

  get transport() {
    return this.#state === "open" ? this.#transport : undefined;
  }

  get queued() {
    return this.#speech.waiting;
  }

  // What a page keeps, to go on from here with the option `since`.
  get cursor() {
    return this.#position.since;
  }

  // "sent", "queued" or "dropped".
  send(message) {
    const text = JSON.stringify(message);
    return this.#state === "closed" ? this.#drop(text, "closed") : this.#speech.say(text);
  }

  // The milliseconds of one round trip. It is a heartbeat too.
  async echo() {
    const begun = performance.now();
    await this.#ask({ msg_type: "heartbeat", target: "echo" });
    return performance.now() - begun;
  }

  // Who is in the group: [{client_id, protocol, since}].
  async members() {
    const { payload } = await this.#ask({ msg_type: "presence", target: "echo" });
    return payload.members;
  }

  // What was said before is said still, or told as dropped.
  close(code = 1000, reason = "") {
    if (this.#state === "closed") return;
    this.#speech.hurry();
    const isSaid = this.#leave(code, reason);
    this.#finish({ code, reason }, isSaid);
  }

  async #begin() {
    clearTimeout(this.#comingBack);
    const mine = (this.#link = {}); // whoever comes later makes this attempt a stranger
    this.#openedAt = undefined;
    this.#retryAfter = undefined;
    this.#become("connecting");
    try {
      const token = await tokenFrom(this.#options.jwt, this.#options.answerSeconds);
      if (mine === this.#link) this.#openWith(token);
    } catch (error) {
      if (mine === this.#link) this.#ended({ code: 1006, reason: String(error) });
    }
  }

  #openWith(token) {
    this.#token = token;
    if (this.#unwelcome !== null && token === this.#unwelcome.token) {
      this.#ended({ code: 4401, reason: "the new token is the old one" });
      return;
    }
    this.#openedAt = null;
    this.#transport = transportFor(this.#options, this.#unopened);
    const options = { ...this.#options, jwt: token, since: this.#position.since };
    const [milliseconds, events] = [options.answerSeconds * 1000, this.#events(() => link)];
    const link = this.#transport === "polling"
      ? new PollingLink(originOf(options), authOf(options), milliseconds, events)
      : new SocketLink(options.WebSocket, addressOf(options), milliseconds, events);
    this.#link = link;
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

  #linked() {
    if (this.#transport === "websocket") this.#unopened = 0;
    this.#openedAt = undefined;
    this.#enter(this.#link);
    const beat = () => this.#beat().then(() => this.#speech.aside(CURSOR_QUESTION), () => {});
    this.#heartbeats = setInterval(beat, this.#options.heartbeatSeconds * 1000);
  }

  // Admitted is who gets the first heartbeat back: until then nothing else is said.
  async #enter(link) {
    const answer = await this.#beat().catch(() => undefined);
    if (answer && link === this.#link) this.#admitted(answer);
    else setTimeout(() => link === this.#link && this.#enter(link), AGAIN_MILLISECONDS);
  }

  #admitted(answer) {
    this.#openedAt = performance.now();
    this.#unwelcome = null;
    this.#become("open");
    for (const gap of this.#position.gaps(answer)) this.#heard(gap);
    if (this.#state !== "open") return;
    this.#speech.begin(this.#link);
    this.#speech.aside(CURSOR_QUESTION);
  }

  async #beat(seconds = this.#options.answerSeconds) {
    const answer = await this.#question({ msg_type: "heartbeat", target: "echo", payload: { limits: true } }, seconds);
    this.#speech.learn(answer.payload?.limits);
    return answer;
  }

  // Another network, or a sleep: does the connection live?
  async #probe() {
    if (this.#state !== "open" || this.#isProbing) return;
    this.#isProbing = true;
    await this.#beat(Math.min(this.#options.answerSeconds, LONGEST_PROBE_SECONDS)).catch(() => {});
    this.#isProbing = false;
  }

  #network() {
    return {
      changed: () => this.#probe(),
      online: () => this.#returnNow() || this.#probe(),
      leaving: () => this.#speech.hurry(),
      left: () => this.#state === "open" && this.#away(),
      back: () => this.#returnNow(),
    };
  }

  // Unless the bridge asked for a pause.
  #returnNow() {
    if (this.#state !== "waiting" || this.#retryAfter !== undefined) return false;
    this.#begin();
    return true;
  }

  // The page is left, perhaps to be shown again.
  #away() {
    this.#position.lose(true);
    this.#speech.hurry();
    this.#speech.pause([], this.#leave(1000, "", true));
    this.#become("waiting", { code: 1000, reason: "the page was left", pauseMilliseconds: Infinity });
  }

  #ask(message) {
    if (this.#state !== "open") return Promise.reject(new Error(`not connected: ${this.#state}`));
    return this.#asked.ask(message, this.#link, this.#options.answerSeconds * 1000);
  }

  // The client's own: without an answer the connection is lost.
  #question(message, seconds) {
    const lost = () => this.#ended({ code: 1006, reason: `no answer in ${seconds} s` });
    return this.#asked.ask(message, this.#link, seconds * 1000, lost);
  }

  #heard(message) {
    const { msg_type, cmd, payload } = message;
    this.#position.hear(message);
    const isNews = isOfBridge(message) && NEWS_OF_BRIDGE.includes(cmd);
    if (isNews && cmd === "ERROR") this.#refused(payload ?? {});
    else if (message.target === "echo" && this.#asked.answer(message)) return;
    if (msg_type === "presence" && ["JOIN", "LEAVE"].includes(cmd)) this.#tell(cmd.toLowerCase(), message);
    this.#tell(isNews ? cmd.toLowerCase() : msg_type, message);
    this.#tell("message", message);
  }

  #refused({ code, refused, retry_after_ms }) {
    if (code === "going_away") this.#retryAfter = retry_after_ms;
    if (CALLS_BACK.includes(code)) this.#speech.hold();
    if (code === "rate_limited") {
      this.#asked.refuseAll(code); // a heartbeat may be among what was refused
      this.#speech.slowDown();
    }
    if (refused?.msg_type === "presence" && refused.target === "echo") this.#asked.refuse("presence", code);
  }

  #ended({ code, reason, unsent }) {
    const opened = this.#openedAt;
    this.#position.lose(this.#state === "open");
    this.#leave(1000, "");
    this.#speech.pause(unsent);
    if (this.#state === "closed") return; // by the page, when it was told what is dropped
    if (opened === null) this.#unopened = this.#transport === "websocket" ? this.#unopened + 1 : 0;
    this.#losses = opened && performance.now() - opened > this.#options.stableSeconds * 1000 ? 1 : this.#losses + 1;
    this.#comeBack({ code, reason });
  }

  #comeBack({ code, reason }) {
    const isRenewed = comesBackChanged(code, this.#options.jwt);
    const isAtOnce = isRenewed && this.#unwelcome === null;
    const pause = isAtOnce ? 0 : pauseAfter(code, this.#losses, this.#retryAfter, this.#options);
    if (pause === null) {
      this.#finish({ code, reason });
      return;
    }
    if (isRenewed) this.#unwelcome = { token: this.#token };
    const isFailed = this.#transport === "websocket" && this.#unopened > 0;
    const isNext = isFailed && transportFor(this.#options, this.#unopened) === "polling";
    const pauseMilliseconds = isNext ? 0 : pause;
    this.#comingBack = setTimeout(() => this.#begin(), pauseMilliseconds);
    this.#become("waiting", { code, reason, pauseMilliseconds });
  }

  // Whether all that was said has arrived.
  #leave(code, reason, isPageLeft = false) {
    const isSaid = this.#link?.close?.(code, reason, isPageLeft);
    clearTimeout(this.#comingBack);
    clearInterval(this.#heartbeats);
    this.#link = null;
    this.#asked.refuseAll("the connection was lost");
    return isSaid;
  }

  #finish(end, isSaid) {
    this.#unwatch();
    this.#link = null;
    this.#become("closed", end);
    this.#speech.end(isSaid);
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
