// A look-alike of the browser's WebSocket that speaks V3 underneath. It must never reconnect by itself: V2 pages do.

import { onBridge, v3Path } from "./address.js";
import { Incoming } from "./incoming.js";
import { CURSOR, gapText, Interpreter, QUESTIONS, refusalText } from "./interpreter.js";
import { membersOf, readMessage, writeJson } from "./json.js";
import { patientUtf8, strictUtf8, utf8 } from "./names.js";
import { Outgoing } from "./outgoing.js";
import { Place } from "./place.js";
import { dialectFrom } from "./tenant.js";
import { Dialect } from "./words.js";

export const NativeWebSocket = globalThis.WebSocket;
export const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
const MOST_REASON_BYTES = 123;
const MOVED = [4410, 4426];
const COME_BACK = 1012;

export class V2Socket extends EventTarget {
  #options;
  #address;
  #protocols;
  #interpreter;
  #outgoing;
  #incoming;
  #place;
  #inner;
  #isOpen = false;
  #isClosing = false;
  #isLegacy = false;
  #lastOnV2;
  #heartbeats;
  #blobs;
  #waitingBytes = 0;
  #binaryType = "blob";
  #handlers = {};

  constructor(options, address, protocols) {
    super();
    this.#options = options;
    this.#address = address;
    this.#protocols = protocols;
    const { dialect, ids, maxMessageBytes } = options;
    const interpreter = new Interpreter({ dialect: new Dialect(dialect), ids, maxMessageBytes }, address);
    const transmit = (frame) => this.#inner.send(frame);
    this.#interpreter = interpreter;
    this.#outgoing = new Outgoing(interpreter, transmit, (code) => this.#show(refusalText(code)));
    this.#incoming = new Incoming(interpreter, (frame) => this.#outgoing.ask(frame), (one) => this.#interpret(one));
    this.#place = new Place(address);
    this.#connect(onBridge(address, options.bridge, v3Path(address), this.#place.since));
  }

  get url() {
    return this.#address.url.href;
  }

  get readyState() {
    if (this.#isClosing && this.#inner.readyState < STATES.CLOSING) return STATES.CLOSING;
    return this.#isOpen || this.#inner.readyState > STATES.OPEN ? this.#inner.readyState : STATES.CONNECTING;
  }

  get protocol() {
    return this.#isOpen ? this.#inner.protocol : "";
  }

  get extensions() {
    return this.#isOpen ? this.#inner.extensions : "";
  }

  get bufferedAmount() {
    return this.#inner.bufferedAmount + this.#waitingBytes + this.#outgoing.waitingCharacters;
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (["blob", "arraybuffer"].includes(type)) this.#binaryType = type;
  }

  get onopen() {
    return this.#handler("open");
  }

  set onopen(handler) {
    this.#handle("open", handler);
  }

  get onmessage() {
    return this.#handler("message");
  }

  set onmessage(handler) {
    this.#handle("message", handler);
  }

  get onerror() {
    return this.#handler("error");
  }

  set onerror(handler) {
    this.#handle("error", handler);
  }

  get onclose() {
    return this.#handler("close");
  }

  set onclose(handler) {
    this.#handle("close", handler);
  }

  send(data) {
    if (this.readyState === STATES.CONNECTING) {
      const problem = "Failed to execute 'send' on 'WebSocket': Still in CONNECTING state.";
      throw new DOMException(problem, "InvalidStateError");
    }
    if (data instanceof Blob) this.#sendBlob(data);
    else this.#inOrder(() => this.#transmit(data));
  }

  close(...codeAndReason) {
    checkClose(...codeAndReason);
    if (this.readyState > STATES.OPEN) return;
    this.#isClosing = true;
    this.#place.leave(this.#isOpen);
    this.#inOrder(() => this.#outgoing.end(() => this.#inner.close(...codeAndReason)));
  }

  #handler(type) {
    return this.#handlers[type] ?? null;
  }

  // As the attribute of any EventTarget: its place among the listeners is that of the first function.
  #handle(type, handler) {
    if (!Object.hasOwn(this.#handlers, type)) {
      this.addEventListener(type, (event) => this.#handlers[type]?.call(this, event));
    }
    this.#handlers[type] = typeof handler === "function" ? handler : null;
  }

  #connect(url) {
    const inner = new NativeWebSocket(url, ...(this.#protocols === undefined ? [] : [this.#protocols]));
    const when = (type, act) => listen(inner, type, (event) => inner === this.#inner && act(event));
    this.#inner = inner;
    inner.binaryType = "arraybuffer";
    when("open", () => (this.#isLegacy ? this.#open() : this.#begin()));
    when("message", ({ data }) => this.#hear(data));
    when("error", () => this.dispatchEvent(new Event("error")));
    when("close", (event) => this.#end(event));
  }

  #begin() {
    this.#outgoing.ask(QUESTIONS);
    this.#heartbeats = setInterval(() => this.#beat(), this.#options.heartbeatSeconds * 1000);
  }

  #beat() {
    if (this.#inner.readyState !== STATES.OPEN) return;
    this.#outgoing.ask(QUESTIONS);
    if (!this.#outgoing.isBusy) this.#outgoing.put(CURSOR);
  }

  // `open` is told with the bridge's first word to us: only then it is known who we are, and that we may stay.
  #hear(text) {
    if (!this.#isLegacy) this.#hearV3(readMessage(text));
    else this.#show((this.#lastOnV2 = text));
  }

  #hearV3(message) {
    const isHeartbeat = message.get("msg_type") === "heartbeat";
    const isRefused = message.get("cmd") === "ERROR" && message.get("from_id") === "server";
    const code = isRefused && message.get("payload")?.get("code");
    const isConfirmed = message.get("msg_type") === "msg" && message.get("target") === "echo";
    if (isHeartbeat) this.#learn(message.get("payload"));
    if (isConfirmed) this.#outgoing.confirm();
    else if (this.#isOpen) this.#hearOpen(message, code);
    else if (code === "stage_legacy") this.#speakV2();
    else if (isHeartbeat) this.#met(message);
    else if (!this.#incoming.hold(message) || code) this.#open();
  }

  #hearOpen(message, code) {
    if (code === "rate_limited") {
      this.#outgoing.rest();
      this.#incoming.repeat();
    }
    this.#incoming.take(message);
  }

  #met(message) {
    this.#interpreter.meet(message);
    this.#outgoing.put(CURSOR);
    this.#open();
  }

  // What the bridge says of its limits and of the tenant's words.
  #learn(payload) {
    const [limits, rules] = ["limits", "v2_dialect"].map((name) => membersOf(payload?.get(name)));
    if (limits !== undefined) this.#outgoing.learn(JSON.parse(writeJson(limits)));
    const dialect = rules && dialectFrom(JSON.parse(writeJson(rules)), this.#options.dialect);
    if (dialect !== undefined) this.#interpreter.speakAs(dialect);
  }

  #speakV2() {
    const refused = this.#inner;
    this.#stopHeartbeats();
    this.#isLegacy = true;
    this.#place.goToV2();
    this.#connect(onBridge(this.#address, this.#options.bridge));
    refused.close();
  }

  #open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.dispatchEvent(new Event("open"));
    this.#incoming.go();
  }

  // A page that has closed is told nothing more: its next socket is.
  #interpret(message) {
    const { shown, said } = this.#interpreter.heard(message);
    const gaps = this.#isClosing ? [] : this.#place.hear(message).map(({ payload }) => gapText(payload));
    for (const one of this.#isClosing ? [] : [...gaps, ...shown]) this.#show(one);
    for (const one of said) this.#outgoing.put(one);
  }

  #show(data) {
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#address.url.origin }));
  }

  // Who is moved to V3 while V2 is spoken may come back: then V3 is spoken.
  #end({ code, reason, wasClean }) {
    this.#stopHeartbeats();
    this.#outgoing.stop();
    if (this.#isOpen) this.#incoming.end();
    const isMoved = this.#isLegacy && MOVED.includes(code);
    if (isMoved) this.#place.goToV2(this.#lastOnV2);
    this.#place.end(this.#isOpen, wasClean);
    this.dispatchEvent(new CloseEvent("close", { code: isMoved ? COME_BACK : code, reason, wasClean }));
  }

  #stopHeartbeats() {
    clearInterval(this.#heartbeats);
  }

  #sendBlob(blob) {
    const content = blob.arrayBuffer();
    this.#waitingBytes += blob.size;
    this.#inOrder(async () => {
      this.#waitingBytes -= blob.size;
      this.#transmit(await content);
    }, true);
  }

  // A Blob takes a moment to be read; what is sent meanwhile waits behind it.
  #inOrder(act, isSlow = false) {
    if (this.#blobs === undefined && !isSlow) {
      act();
      return;
    }
    const own = (this.#blobs ?? Promise.resolve()).then(act).catch(() => {}).finally(() => {
      if (this.#blobs === own) this.#blobs = undefined;
    });
    this.#blobs = own;
  }

  #transmit(data) {
    const isBinary = data instanceof ArrayBuffer || ArrayBuffer.isView(data);
    const text = isBinary ? textIn(data) : patientUtf8.decode(utf8.encode(String(data)));
    if (text === undefined || this.#isLegacy) this.#inner.send(text ?? data);
    else this.#outgoing.say(text);
  }
}

// What stands in the place of `WebSocket` need not be an EventTarget.
function listen(inner, type, act) {
  if (inner.addEventListener) inner.addEventListener(type, act);
  else inner[`on${type}`] = act;
}

// As the browser's own `close` would throw.
function checkClose(code = 1000, reason = "") {
  const isAllowed = Number(code) === 1000 || (code >= 3000 && code <= 4999);
  if (!isAllowed) throw new DOMException(`The code ${code} is not allowed.`, "InvalidAccessError");
  if (utf8.encode(reason).length > MOST_REASON_BYTES) throw new DOMException("The reason is too long.", "SyntaxError");
}

// Binary that is UTF-8 is text, as in V2; other is sent on as it is, and refused as in V2.
function textIn(bytes) {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
