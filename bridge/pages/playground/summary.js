// One frame in a line: its kind, from whom, to whom, and how it begins. Pure: it takes text and returns plain data, and
// believes nothing about the text.

import { isV3 } from "./address.js";
import { isObject, read, write } from "./json.js";

const MAX_PREVIEW = 240;
const RECIPIENTS = ["to_id", "to_client_id", "to", "recipient_id"];
const SERVER = "server";
const SILENT = { heartbeat: "I am still here", presence: "Who is here?" };

// `place` = {protocol, group, client} of the client that said or heard it. The answer:
// {kind, from, to, preview, isPresence, crosses} and, where the bridge itself speaks, `notice` or
// `refusal` = {code, msg, detail}.
export function summaryOf(text, isSaid, place) {
  const value = read(text);
  const told = !isSaid && isObject(value) ? toldByBridge(value, place) : undefined;
  const summary = { kind: "", from: "", to: "", preview: "", isPresence: false, crosses: told === undefined };
  const of = isV3(place.protocol) ? ofMessage : ofFrame;
  return { ...summary, ...(told ?? of(value, text, isSaid, place)) };
}

// What the bridge itself says to one client: a refusal or a notice.
function toldByBridge(value, { protocol }) {
  if (!isV3(protocol)) return isObject(value.bridge) ? toldToV2(value.bridge) : undefined;
  if (value.from_id !== SERVER || value.target !== "echo") return undefined;
  const payload = isObject(value.payload) ? value.payload : {};
  const told = { kind: shown(value.cmd), from: "the bridge", preview: shown(value.msg ?? value.cmd) };
  if (value.cmd !== "ERROR") return { ...told, notice: shown(value.cmd) };
  const code = shown(payload.code);
  const refusal = { code, msg: shown(value.msg), detail: problems(payload.detail) };
  return { ...told, kind: "refused", preview: code, refusal };
}

function toldToV2(bridge) {
  const told = { from: "the bridge", preview: shown(bridge.msg ?? bridge.notice) };
  if (bridge.error === undefined) return { ...told, kind: "notice", notice: shown(bridge.notice) };
  const code = shown(bridge.error);
  return { ...told, kind: "refused", preview: code, refusal: { code, msg: shown(bridge.msg), detail: [] } };
}

function ofMessage(value, text, isSaid, place) {
  if (!isObject(value)) return { kind: "text", preview: start(text) };
  return {
    kind: shown(value.msg_type) || "json",
    from: isSaid ? place.client : shown(value.from_id),
    to: recipientOf(value, place),
    preview: previewOf(value),
    isPresence: isComingOrGoing(value),
  };
}

function isComingOrGoing({ msg_type: kind, cmd }) {
  return kind === "presence" && (cmd === "JOIN" || cmd === "LEAVE");
}

function recipientOf(message, place) {
  const recipients = {
    group: `group ${shown(message.group_id ?? place.group)}`,
    direct: shown(message.to_id),
    broadcast: "everyone",
    echo: "itself",
  };
  return Object.hasOwn(recipients, message.target) ? recipients[message.target] : shown(message.target);
}

function previewOf(message) {
  const payload = isObject(message.payload) ? message.payload : undefined;
  if (message.msg_type === "presence" && Array.isArray(payload?.members)) return membersOf(payload.members);
  if (isComingOrGoing(message) && payload) return `${message.cmd}  ${memberOf(payload)}`;
  const words = [message.cmd, message.msg, payload === undefined ? undefined : write(payload)];
  const said = words.filter((word) => word !== undefined && word !== null).map(shown).join("  ");
  return start(said) || SILENT[message.msg_type] || "";
}

function membersOf(members) {
  return start(`${members.length} present: ${members.map(memberOf).join(", ")}`);
}

function memberOf(member) {
  return start(`${shown(member?.client_id)} (${shown(member?.protocol)})`);
}

function ofFrame(value, text, isSaid, place) {
  const members = isObject(value) ? value : {};
  const recipient = RECIPIENTS.map((name) => members[name]).find((id) => id !== undefined);
  return {
    kind: typeof members.type === "string" ? start(members.type, 12) : value === undefined ? "text" : "json",
    from: sender(members.client_id, isSaid, place),
    to: shown(recipient),
    preview: start(text),
  };
}

// V2 does not say who spoke, unless the bridge wrote the frame.
function sender(clientId, isSaid, place) {
  if (isSaid) return place.client || "this client";
  return clientId === undefined ? "someone on V2" : shown(clientId);
}

function problems(detail) {
  if (!Array.isArray(detail)) return [];
  return detail.filter(isObject).map(({ field, problem }) => ({ field: shown(field), problem: shown(problem) }));
}

function shown(value) {
  if (value === undefined || value === null) return "";
  return start(typeof value === "string" ? value : write(value) ?? "");
}

function start(text, most = MAX_PREVIEW) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
