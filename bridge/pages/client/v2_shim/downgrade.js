// V3 words -> V2 words, as compat/downgrade.py. Pure: it never decides who hears a message.

import { membersOf, without } from "./json.js";
import { VALUE } from "./upgrade.js";

export function isSpoken(content) {
  return ["msg", "cmd"].includes(content.get("msg_type")) && content.get("target") !== "echo";
}

export function downgrade(content, names, dialect) {
  const { saidAs } = dialect;
  const frame = new Map([[saidAs.msg_type, content.get("msg_type")]]);
  if (content.has("msg")) frame.set(saidAs.msg, content.get("msg"));
  if (content.has("to_id")) frame.set(saidAs.to_id, names.idOf(content.get("to_id")));
  if (!["group", "direct"].includes(content.get("target"))) frame.set(saidAs.target, content.get("target"));
  for (const [name, value] of commandAndPayload(content, dialect)) frame.set(name, value);
  return frame;
}

function commandAndPayload(content, { commandWords, saidAs, words }) {
  const [cmd, payload] = [content.get("cmd"), content.get("payload")];
  const isLiftable = payload !== undefined && payload.size > 0 && ![...payload.keys()].some((name) => words.has(name));
  const word = commandWords.get(cmd);
  if (word !== undefined && isLiftable && payload.has(VALUE)) {
    return [[word, payload.get(VALUE)], ...without(payload, VALUE)];
  }
  const frame = cmd === undefined ? [] : [[saidAs.cmd, cmd]];
  if (payload === undefined) return frame;
  return isLiftable ? [...frame, ...payload] : [...frame, [saidAs.payload, payload]];
}

export const factsOf = (message, names) => [
  ["client_id", names.idOf(message.get("from_id") ?? "")],
  ["group_id", names.idOf(message.get("group_id") ?? "")],
  ["sent_at", message.get("sent_at") ?? ""],
];

export function hear(message, names, dialect) {
  const frame = downgrade(contentOf(message), names, dialect);
  for (const [name, value] of factsOf(message, names)) frame.set(name, value);
  return frame;
}

export const contentOf = (message) =>
  new Map(["msg_type", "target", "to_id", "cmd", "msg", "payload"].flatMap((name) => {
    const value = message.get(name) ?? undefined;
    return value === undefined ? [] : [[name, name === "payload" ? membersOf(value) : value]];
  }));
