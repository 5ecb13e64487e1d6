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

  constructor(idMap = {}) {
    for (const [id, name] of Object.entries(idMap)) this.learn(id, name);
  }

  learn(id, name) {
    this.#nameOf.set(id, name);
    this.#idOf.set(name, asV2Writes(id));
  }

  nameOf(id) {
    const text = id instanceof JsonNumber ? id.integer : id;
    return this.#nameOf.get(text) ?? encodeId(text);
  }

  idOf(name) {
    return this.#idOf.get(name) ?? decodeName(name);
  }
}

export function isRecipient(value) {
  if (value instanceof JsonNumber) return value.integer !== undefined;
  return isText(value) && value !== "" && (value.length <= MAX_ID_CHARACTERS || [...value].length <= MAX_ID_CHARACTERS);
}
