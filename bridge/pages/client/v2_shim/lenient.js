// Whom a frame names that is no JSON: read as leniently as anybody might take it for an object. As compat/address.py.
// Pure. It must never take longer than a few looks at each character.

import { JsonNumber } from "./json.js";
import { isRecipient } from "./names.js";

const INVISIBLE = "\\s\\x00-\\x20\\x7f-\\xa0\\u200b-\\u200f\\u2060\\ufeff\\ufffe";
const COMMENT = "/\\*(?:[^*]|\\*(?!/))*(?:\\*/|$)|//[^\\n]*";
const NO_SCRIPT = "#[^\\n]*|<!--|\u00ef\u00bb\u00bf|\\)\\]\\}'?,?|for\\(;;\\);|while\\(1\\);";
const BEFORE_OBJECT = new RegExp(`[(${INVISIBLE}]+|${COMMENT}|${NO_SCRIPT}`, "y");
const SPACE = `(?:[${INVISIBLE}]|${COMMENT})*`;
const ANY_STRING = "\"[^\"]*\"|'[^']*'";
const ANY_WORD = "[A-Za-z_$\\x80-\\uffff][A-Za-z0-9_$\\x80-\\uffff-]*";
const ANY_NUMBER = "[+-]?[0-9.][A-Za-z0-9_.+-]*";
const VALUE_OF_NAME = `${ANY_STRING}|${ANY_WORD}|${ANY_NUMBER}|[+-]${ANY_WORD}|`;
const PYTHON = "(?:[ubUB](?=[\"']))?"; // before a text in Python 2, before bytes in Python 3
const TOKEN = new RegExp(
  `(?<open>[\\[{])|(?<close>[\\]}])|${COMMENT}` +
    `|${PYTHON}(?<name>${ANY_STRING}|${ANY_WORD})(?:${SPACE}[:=]>?${SPACE}${PYTHON}(?<value>${VALUE_OF_NAME}))?` +
    `|(?<broken>["'\\\\])`,
  "dg",
);
// An escape of JavaScript that means a character which could stand there by itself.
const ESCAPE = /\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|[^bfnrtv0-9ux])/gs;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const NO_NAMES = ["true", "false", "null", "undefined", "True", "False", "None"];
const UNREADABLE = Symbol("it is there, and cannot be read");

// The members that address it, as a Map; `undefined` where it names a recipient that cannot be read.
export function addressOf(written, recipients, targets) {
  const begin = beginOfObject(written);
  if (begin === undefined) return new Map();
  // UTF-16 in a binary frame is the text without its NULs.
  const text = written.startsWith("{\0", begin) ? written.slice(begin).replaceAll("\0", "") : written.slice(begin);
  const { members, isClear } = scan(text, [...recipients, ...targets]);
  const named = recipients.map((word) => members.get(word));
  if (named.some(isRecipient)) return members;
  const isLost = named.includes(UNREADABLE) || (!isClear && mentions(text, recipients));
  return isLost ? undefined : members;
}

function beginOfObject(text) {
  let at = 0;
  do BEFORE_OBJECT.lastIndex = at;
  while (BEFORE_OBJECT.test(text) && (at = BEFORE_OBJECT.lastIndex) < text.length);
  return text[at] === "{" ? at : undefined;
}

// The members of every object that stands in no other, and whether the structure of the text is clear.
function scan(text, words) {
  const members = new Map();
  let [depth, isClear] = [0, true];
  for (const { groups, indices } of text.replace(/\\[\\"']/g, "  ").matchAll(TOKEN)) {
    const { open, close, name, value, broken } = groups;
    if (open !== undefined) depth += 1;
    if (close !== undefined) depth -= 1;
    if (depth === 1 && (value !== undefined || /^["']/.test(name))) {
      const word = nameOf(text.slice(...indices.groups.name));
      if (words.includes(word)) members.set(word, valueAt(text, ...(indices.groups.value ?? [indices[0][1], indices[0][1]])));
    }
    if (depth < 0 || broken !== undefined || (name !== undefined && depth === 0)) isClear = false;
    depth = Math.max(0, depth);
  }
  return { members, isClear: isClear && depth === 0 };
}

// Also where it is written with escapes that JSON does not have.
function nameOf(written) {
  const name = textOf(written);
  return name === UNREADABLE ? written.slice(1, -1).replace(ESCAPE, unescaped) : name;
}

function unescaped(escape, braced, four, two) {
  const digits = braced ?? four ?? two;
  return digits === undefined ? escape.slice(1) : String.fromCodePoint(Math.min(parseInt(digits, 16), 0x10ffff));
}

function valueAt(text, start, end) {
  if (start === end) return "[{".includes(text[end] ?? "x") ? null : UNREADABLE;
  const written = text.slice(start, end);
  if (/^["']/.test(written)) return textOf(written);
  if (NO_NAMES.includes(written)) return null;
  if (/^\p{L}/u.test(written) && !["NaN", "Infinity"].includes(written)) return written;
  const number = written.replace(/^\+/, "");
  return JSON_NUMBER.test(number) && Number.isFinite(Number(number)) ? new JsonNumber(number) : UNREADABLE;
}

// Of a string or a bare word; half of a surrogate pair becomes U+FFFD.
function textOf(written) {
  if (!/^["']/.test(written)) return written;
  const inner = written.slice(1, -1);
  if (!inner.includes("\\")) return withoutHalves(inner);
  try {
    // What a string of JSON may not hold as it is stands for itself.
    return withoutHalves(JSON.parse(`"${inner.replace(/[\x00-\x1f]/g, (one) => JSON.stringify(one).slice(1, -1))}"`));
  } catch {
    return UNREADABLE;
  }
}

const withoutHalves = (text) => text.replace(/\p{Surrogate}/gu, "\ufffd");

// Whether a recipient's word may stand anywhere: in quotes, in escapes, or after a brace or a comma.
function mentions(text, recipients) {
  if (/\\u00[4-7]/.test(text)) return true;
  const word = `(?:${recipients.map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`;
  return new RegExp(`["'\`]${word}\\\\?["'\`]|[{,;]\\s*${word}\\s*[:=]`).test(text);
}
