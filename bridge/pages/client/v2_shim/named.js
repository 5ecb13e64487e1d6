// Whom a frame names that counts as text, as compat/address.py: it must never be heard by more people than it names.
// Pure. It reads what this browser reads, and takes any other mention of a recipient for one that cannot be read.

import { isText, JsonNumber } from "./json.js";
import { isRecipient } from "./names.js";

const BEGIN = /^[\s(\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff]*(?=\{)/;
const END = /[\s);\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff]*$/;
const CONTROL = /[\x00-\x1f]/g;
const LONE_SURROGATES = /\p{Surrogate}/gu;

// The members that address it; `undefined` where it names a recipient that cannot be read.
export function namedIn(text, { to_id: recipients, target }) {
  if (!BEGIN.test(text)) return new Map();
  const words = [...recipients, ...target];
  const members = read(text.replace(BEGIN, "").replace(END, "").replace(CONTROL, " "), words);
  if (members === undefined) return recipients.some((word) => text.includes(word)) ? undefined : new Map();
  const named = recipients.filter((word) => members.has(word)).map((word) => members.get(word));
  return named.some(isRecipient) || !named.includes(undefined) ? members : undefined;
}

function read(text, words) {
  try {
    const value = JSON.parse(text);
    return new Map(words.filter((word) => Object.hasOwn(value, word)).map((word) => [word, readable(value[word])]));
  } catch {
    return undefined;
  }
}

function readable(value) {
  if (isText(value)) return value.replace(LONE_SURROGATES, "\ufffd");
  if (typeof value !== "number" || (Number.isFinite(value) && !Number.isInteger(value))) return null;
  return Number.isSafeInteger(value) ? new JsonNumber(String(value)) : undefined;
}
