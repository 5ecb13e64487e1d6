// Reads and writes JSON as the bridge does: the members of one object at a time, as a Map (their order and `__proto__`
// are kept). What is inside of them stays as it was written: numbers keep their digits, and nothing is read in vain. It
// must never accept what the bridge takes for text, nor refuse what it takes for JSON.

export const MAX_DEPTH = 32;
const READER_DEPTH = 201;
const MAX_DIGITS = 4300;
const SUSPICIOUS_DIGITS = 300; // in a row: more than a double holds, perhaps
const LAST_OF_NUMBERS = 57; // all of `-0123456789` come before the letters
const WORD = /true|false|null/y;
const NUMBER = /-?(0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONE_SURROGATE = /\p{Surrogate}/u;
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [34, 92, 91, 93, 123, 125];

export class NotJson extends Error {}

export class JsonNumber {
  constructor(text) {
    this.text = text;
  }
}

// An object or a list that nobody has looked into. `depth`: how many containers stand in one another.
export class Nested {
  #members;

  constructor(text, depth) {
    this.text = text;
    this.depth = depth;
  }

  get members() {
    if (this.text.charCodeAt(0) === OPEN) this.#members ??= new Level(this.text).members();
    return this.#members;
  }
}

// One level of a text that is JSON for certain.
class Level {
  #at = 0;
  isSuspicious = false; // there may be a number that is no finite double, or too long

  constructor(text) {
    this.text = text;
  }

  value() {
    const first = this.#skipBlanks();
    if (first === OPEN || first === OPEN_LIST) return this.#container();
    if (first === QUOTE) return this.#string();
    return first > LAST_OF_NUMBERS ? JSON.parse(this.#pass(WORD)) : this.#number();
  }

  members() {
    const members = new Map();
    this.#at += 1;
    while (this.#skipBlanks() !== CLOSE) {
      const name = this.#string();
      this.#skipBlanks();
      this.#at += 1; // a colon
      members.set(name, this.value());
      if (this.#skipBlanks() !== CLOSE) this.#at += 1; // a comma
    }
    return members;
  }

  items() {
    const items = [];
    this.#at += 1;
    while (this.#skipBlanks() !== CLOSE_LIST) {
      items.push(this.value());
      if (this.#skipBlanks() !== CLOSE_LIST) this.#at += 1; // a comma
    }
    return items;
  }

  #pass(pattern) {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.text);
    this.#at = pattern.lastIndex;
    return found;
  }

  #number() {
    const text = this.#pass(NUMBER);
    this.isSuspicious ||= text.length > SUSPICIOUS_DIGITS || /[eE]/.test(text);
    return new JsonNumber(text);
  }

  #string() {
    const start = this.#at;
    this.#at = endOfString(this.text, start);
    const inner = this.text.slice(start + 1, this.#at - 1);
    return inner.includes("\\") ? JSON.parse(`"${inner}"`) : inner;
  }

  #container() {
    const { text } = this;
    let [at, level, deepest, digits, isSuspicious] = [this.#at, 0, 0, 0, false];
    do {
      const code = text.charCodeAt(at);
      at = code === QUOTE ? endOfString(text, at) : at + 1;
      if (code >= 48 && code <= 57) {
        digits += 1;
        continue;
      }
      if (digits > 0) isSuspicious ||= digits > SUSPICIOUS_DIGITS || code === 101 || code === 69; // an exponent
      digits = 0;
      if (code === OPEN || code === OPEN_LIST) level += 1;
      else if (code === CLOSE || code === CLOSE_LIST) level -= 1;
      if (level > deepest) deepest = level;
    } while (level > 0);
    this.isSuspicious ||= isSuspicious;
    const container = new Nested(text.slice(this.#at, at), deepest);
    this.#at = at;
    return container;
  }

  #skipBlanks() {
    let code = this.text.charCodeAt(this.#at);
    while (code === 32 || code === 9 || code === 10 || code === 13) code = this.text.charCodeAt((this.#at += 1));
    return code;
  }
}

// Where the string ends that begins here.
function endOfString(text, start) {
  let at = start;
  do at = text.indexOf('"', at + 1);
  while (isEscaped(text, at));
  return at + 1;
}

function isEscaped(text, at) {
  let before = at;
  while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}

export function readJson(text) {
  checkSyntax(text);
  const level = new Level(text);
  const value = level.value();
  if (value instanceof Nested && value.depth > READER_DEPTH) throw new NotJson("nested too deep");
  if (level.isSuspicious) checkNumbers(text);
  return membersOf(value) ?? value;
}

function checkSyntax(text) {
  try {
    JSON.parse(text, ESCAPED_SURROGATE.test(text) ? wellFormed : undefined);
  } catch {
    throw new NotJson("no JSON, or half of a surrogate pair");
  }
  if (!isWellFormed(text)) throw new NotJson("half of a surrogate pair");
}

const isWellFormed = (text) => text.isWellFormed?.() ?? !LONE_SURROGATE.test(text);

function wellFormed(name, value) {
  if (!isWellFormed(name) || (isText(value) && !isWellFormed(value))) throw new NotJson();
  return value;
}

function checkNumbers(text) {
  for (const [number, digits] of text.matchAll(NUMBERS)) {
    if (digits === undefined) continue;
    const isFinite = digits.length === number.replace("-", "").length || Number.isFinite(Number(number));
    if (digits.length > MAX_DIGITS || !isFinite) throw new NotJson("a number is not finite, or too long");
  }
}

// A message of the bridge: it is JSON.
export function readMessage(text) {
  const message = new Level(text).value().members;
  if (membersOf(message.get("payload"))) message.set("payload", membersOf(message.get("payload")));
  return message;
}

export function writeJson(value) {
  if (value instanceof JsonNumber || value instanceof Nested) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  return `{${[...value].map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`).join(",")}}`;
}

export function depthOf(value) {
  if (value instanceof Nested) return value.depth;
  if (!Array.isArray(value) && !(value instanceof Map)) return 0;
  let deepest = 0;
  for (const member of value.values()) deepest = Math.max(deepest, depthOf(member));
  return 1 + deepest;
}

// Of an object, else `undefined`.
export function membersOf(value) {
  if (value instanceof Nested) return value.members;
  return value instanceof Map ? value : undefined;
}

// Of a list; none of anything else.
export function itemsOf(value) {
  if (Array.isArray(value)) return value;
  return value instanceof Nested && value.members === undefined ? new Level(value.text).items() : [];
}

export const isText = (value) => typeof value === "string";
export const isObject = (value) => membersOf(value) !== undefined;
export const without = (members, ...names) => new Map([...members].filter(([name]) => !names.includes(name)));

export function isSame(one, other) {
  if (one === undefined || other === undefined || one === other) return one !== undefined && one === other;
  return writeJson(membersOf(one) ?? one) === writeJson(membersOf(other) ?? other);
}

// A V2 frame; only the member that carries a payload may itself be one deeper.
export function readFrame(text, payloadWord) {
  const value = readJson(text);
  const payload = value instanceof Map ? value.get(payloadWord) : undefined;
  const rest = isObject(payload) ? without(value, payloadWord) : value;
  if (depthOf(rest) > MAX_DEPTH || (isObject(payload) && depthOf(payload) > MAX_DEPTH + 1)) throw new NotJson("deep");
  return value;
}
