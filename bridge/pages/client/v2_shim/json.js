// Reads and writes JSON as the bridge does: objects are Maps (their order and `__proto__` are kept), numbers keep their
// digits. It must never accept what the bridge takes for text, nor refuse what it takes for JSON.

export const MAX_DEPTH = 32;
const READER_DEPTH = 201;
const MAX_DIGITS = 4300;
const NUMBER = /-?(0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = { t: ["true", true], f: ["false", false], n: ["null", null] };
const LONE_SURROGATE = /\p{Surrogate}/u;

export class NotJson extends Error {}

export class JsonNumber {
  constructor(text) {
    this.text = text;
  }

  get isInteger() {
    return !/[.eE]/.test(this.text);
  }

  // The digits of the integer that it equals, as of `7.0`; `undefined` where it is none.
  get integer() {
    if (this.isInteger) return this.text.replace(/^-0$/, "0");
    return Number.isInteger(Number(this.text)) ? String(BigInt(Number(this.text))) : undefined;
  }
}

class Reader {
  #at = 0;

  constructor(text) {
    this.text = text;
  }

  read() {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at !== this.text.length) throw new NotJson("more than one value");
    return value;
  }

  #value(depth) {
    if (depth > READER_DEPTH) throw new NotJson("nested too deep");
    this.#skipBlanks();
    const first = this.text[this.#at];
    if (first === "{") return this.#object(depth + 1);
    if (first === "[") return this.#list(depth + 1);
    if (first === '"') return this.#string();
    return Object.hasOwn(WORDS, first ?? "") ? this.#word(...WORDS[first]) : this.#number();
  }

  #object(depth) {
    const members = new Map();
    this.#each("}", () => {
      this.#skipBlanks();
      const name = this.#string();
      this.#expect(":");
      members.set(name, this.#value(depth));
    });
    return members;
  }

  #list(depth) {
    const items = [];
    this.#each("]", () => items.push(this.#value(depth)));
    return items;
  }

  #each(end, readOne) {
    this.#at += 1;
    this.#skipBlanks();
    if (this.text[this.#at] !== end) {
      do readOne();
      while (this.#passes(","));
    }
    this.#expect(end);
  }

  #string() {
    const start = this.#at;
    if (this.text[start] !== '"') throw new NotJson("a string is due");
    do {
      this.#at = this.text.indexOf('"', this.#at + 1);
      if (this.#at < 0) throw new NotJson("a string has no end");
    } while (this.#isEscaped());
    this.#at += 1;
    return wellFormed(native(this.text.slice(start, this.#at)));
  }

  #isEscaped() {
    let before = this.#at;
    while (this.text[before - 1] === "\\") before -= 1;
    return (this.#at - before) % 2 === 1;
  }

  #number() {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.text);
    if (found === null || found[1].length > MAX_DIGITS) throw new NotJson("no JSON value");
    this.#at = NUMBER.lastIndex;
    const number = new JsonNumber(found[0]);
    if (!number.isInteger && !Number.isFinite(Number(number.text))) throw new NotJson("a number is not finite");
    return number;
  }

  #word(word, value) {
    if (!this.text.startsWith(word, this.#at)) throw new NotJson("no JSON value");
    this.#at += word.length;
    return value;
  }

  #expect(character) {
    if (!this.#passes(character)) throw new NotJson(`${character} is due`);
  }

  #passes(character) {
    this.#skipBlanks();
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks() {
    while (" \t\n\r".includes(this.text[this.#at] ?? "x")) this.#at += 1;
  }
}

function native(literal) {
  try {
    return JSON.parse(literal);
  } catch {
    throw new NotJson("a string holds what it may not");
  }
}

function wellFormed(string) {
  if (LONE_SURROGATE.test(string)) throw new NotJson("half of a surrogate pair");
  return string;
}

export const readJson = (text) => new Reader(text).read();

export function writeJson(value) {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  return `{${[...value].map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`).join(",")}}`;
}

export function depthOf(value) {
  let deepest = 0;
  const waiting = [[value, 1]];
  while (waiting.length) {
    const [container, level] = waiting.pop();
    if (!Array.isArray(container) && !(container instanceof Map)) continue;
    deepest = Math.max(deepest, level);
    for (const member of container.values()) waiting.push([member, level + 1]);
  }
  return deepest;
}

export const isText = (value) => typeof value === "string";
export const isObject = (value) => value instanceof Map;
export const isSame = (one, other) => one !== undefined && other !== undefined && writeJson(one) === writeJson(other);
export const without = (members, ...names) => new Map([...members].filter(([name]) => !names.includes(name)));

// A V2 frame; only the member that carries a payload may itself be one deeper.
export function readFrame(text, payloadWord) {
  const value = readJson(text);
  const payload = isObject(value) ? value.get(payloadWord) : undefined;
  const rest = isObject(payload) ? without(value, payloadWord) : value;
  if (depthOf(rest) > MAX_DEPTH || (isObject(payload) && depthOf(payload) > MAX_DEPTH + 1)) throw new NotJson("deep");
  return value;
}
