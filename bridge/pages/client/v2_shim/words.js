// What each word of V2 means, and what the tenant's dialect adds. As legacy_v2/frames.py and compat/dialect.py. Pure.

import { isText } from "./json.js";

const SPELLINGS = {
  msg_type: ["msg_type", "type"],
  target: ["target"],
  to_id: ["to_id", "to_client_id", "to", "recipient_id"],
  cmd: ["cmd", "command"],
  msg: ["msg", "message", "text"],
  payload: ["payload", "data"],
};
export const TYPES = new Map([
  ...["msg", "message", "chat", "text"].map((word) => [word, "msg"]),
  ...["cmd", "command"].map((word) => [word, "cmd"]),
  ...["heartbeat", "ping"].map((word) => [word, "heartbeat"]),
  ["presence", "presence"],
]);
export const TYPES_OF_V3 = ["msg", "cmd", "heartbeat", "presence"];
export const CLAIMS = ["client_id", "from_id", "group_id", "sent_at", "version"];
// What only the server says of who is present.
export const EVENTS = ["JOIN", "LEAVE"];
export const STASH = "_v2";
const STANDARD_WORDS = new Set([...CLAIMS, STASH, "bridge", ...Object.values(SPELLINGS).flat()]);

export class Dialect {
  constructor(rules = {}) {
    const declared = Object.entries(rules);
    for (const [word, rule] of declared) checkRule(word, rule);
    const spoken = declared.filter(([, { speak }]) => speak !== false);
    this.commands = new Map(declared.filter(([, { cmd }]) => isText(cmd)).map(([word, { cmd }]) => [word, cmd]));
    this.spellings = spellingsWith(declared);
    this.commandWords = new Map(spoken.filter(([, { cmd }]) => isText(cmd)).map(([word, { cmd }]) => [cmd, word]));
    const saidAs = spoken.filter(([, { field }]) => field).map(([word, { field }]) => [field, word]);
    checkCollisions([...spoken.map(([, { cmd, field }]) => JSON.stringify([cmd, field]))]);
    const standard = { msg_type: "type", target: "target", to_id: "to_id", cmd: "cmd", msg: "msg", payload: "payload" };
    this.saidAs = { ...standard, ...Object.fromEntries(saidAs) };
    this.words = new Set([...STANDARD_WORDS, ...declared.map(([word]) => word)]);
  }
}

function spellingsWith(declared) {
  const more = (field) => declared.filter(([, rule]) => rule.field === field).map(([word]) => word);
  return Object.fromEntries(Object.entries(SPELLINGS).map(([field, words]) => [field, [...words, ...more(field)]]));
}

function checkRule(word, { cmd, field }) {
  if (STANDARD_WORDS.has(word) || word === "") throw new Error(`dialect.${word}: the word has a meaning of its own`);
  if (isText(cmd) === isText(field)) throw new Error(`dialect.${word}: a rule has either cmd or field`);
  if (isText(field) && !Object.hasOwn(SPELLINGS, field)) throw new Error(`dialect.${word}: no such field: ${field}`);
}

function checkCollisions(meanings) {
  if (new Set(meanings).size === meanings.length) return;
  throw new Error("two words of the dialect would be said for one thing: give one of them speak: false");
}
