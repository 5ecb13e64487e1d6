// Who is who: V2 client `42` is `v2-42` to V3, unless the tenant's id map knows better. As compat/identity.py. Pure.

import { isText, JsonNumber } from "./json.js";

const PREFIX = "v2-";
const VISION_ID = /^(?!\d+$)(?!server$)[A-Za-z0-9_-]{1,64}$/;
const ESCAPED = /^(?:[A-Za-z0-9-]|_[0-9a-f]{2})+$/;
const DECIMAL = /^(?:0|-?[1-9][0-9]{0,4299})$/;
const MAX_ID_CHARACTERS = 128;
export const hexadecimal = (byte) => byte.toString(16).padStart(2, "0");
export const utf8 = new TextEncoder();
export const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
export const patientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export function encodeId(id) {
  if (VISION_ID.test(id) && !id.startsWith(PREFIX)) return id;
  const characters = [...utf8.encode(id)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9-]/.test(character) ? character : `_${hexadecimal(byte)}`;
  });
  return PREFIX + characters.join("");
}

function decodeName(name) {
  const id = name.startsWith(PREFIX) ? unescapeName(name) : undefined;
  return id === undefined ? name : asV2Writes(id);
}

function unescapeName(name) {
  const escaped = name.slice(PREFIX.length);
  if (!ESCAPED.test(escaped)) return undefined;
  const id = unquoted(escaped, /_([0-9a-f]{2})/y, strictUtf8);
  return id !== undefined && encodeId(id) === name ? id : undefined;
}

// Text in which some bytes are written as hexadecimal digits after a mark; `undefined` where the decoder objects.
export function unquoted(text, mark, decoder) {
  const bytes = [];
  for (let at = 0; at < text.length; at += 1) {
    mark.lastIndex = at;
    const found = mark.exec(text);
    bytes.push(found ? Number.parseInt(found[1], 16) : text.charCodeAt(at));
    if (found) at += found[0].length - 1;
  }
  try {
    return decoder.decode(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}

const asV2Writes = (id) => (DECIMAL.test(id) ? new JsonNumber(id) : id);

export class Names {
  #nameOf = new Map();
  #idOf = new Map();
  #asked = new Set();

  constructor(idMap = {}) {
    for (const [id, name] of Object.entries(idMap)) this.learn(id, name);
  }

  learn(id, name) {
    this.#nameOf.set(id, name);
    this.#idOf.set(name, asV2Writes(id));
  }

  // `id`: what the id map has for this name, if anything.
  learnThat(name, id) {
    this.#asked.add(name);
    if (id !== undefined) this.learn(id, name);
  }

  // Whether only the bridge can tell whose name it is.
  isUnknown(name) {
    const isNamed = isText(name) && name !== "" && name !== "server" && !name.startsWith(PREFIX);
    return isNamed && !this.#idOf.has(name) && !this.#asked.has(name);
  }

  nameOf(id) {
    return this.#nameOf.get(id) ?? encodeId(id);
  }

  idOf(name) {
    return this.#idOf.get(name) ?? decodeName(name);
  }
}

// The id that a value names: a short text, or an integer, also written `7.0`; else `undefined`.
export function recipientOf(value) {
  if (value instanceof JsonNumber) return integerIn(value.text);
  const isShort = isText(value) && (value.length <= MAX_ID_CHARACTERS || [...value].length <= MAX_ID_CHARACTERS);
  return isShort && value !== "" ? value : undefined;
}

function integerIn(text) {
  if (!/[.eE]/.test(text)) return text.replace(/^-0$/, "0");
  return Number.isInteger(Number(text)) ? String(BigInt(Number(text))) : undefined;
}

export const isRecipient = (value) => recipientOf(value) !== undefined;
