// Where each member of a V2 frame is found in its V3 content, in order, so that a page with the shim hears it as it was
// said: a field's name, "payload", "stash", the number of payload members that it was, or `[value]` itself. Pure. It
// never changes what V3 clients understand, and a shape that does not hold is passed over.

import { downgrade, factsOf } from "./downgrade.js";
import { isSame, itemsOf, JsonNumber, membersOf, without, writeJson } from "./json.js";
import { VALUE } from "./upgrade.js";
import { STASH } from "./words.js";

const SHAPE = "_v2_shape";
const FIELDS = ["msg", "cmd", "target", "msg_type"]; // not to_id: the bridge may say another name of the same person

// `undefined` where the words come back by themselves, as they do for `{"msg":"hi","colour":"red"}`.
export function shapeOf(frame, content, names, dialect) {
  if (frame === undefined) return "text";
  if (!(frame instanceof Map)) return VALUE;
  const back = downgrade(content, names, dialect);
  const comesBack = [...frame].every(([name, value]) => isSame(back.get(name), value));
  if (comesBack && content.get("msg_type") !== "presence") return undefined;
  return new Map([...frame].map(([name, value]) => [name, placeOf(name, value, content)]));
}

function placeOf(name, value, content) {
  const payload = content.get("payload") ?? new Map();
  if (isSame(payload.get(name), value)) return "payload";
  if (isSame(membersOf(payload.get(STASH))?.get(name), value)) return "stash";
  const field = FIELDS.find((one) => content.get(one) === value);
  if (field !== undefined) return field;
  const size = membersOf(value)?.size;
  return size && isSame(headOf(payload, size), value) ? new JsonNumber(String(size)) : [value];
}

const headOf = (payload, size) => new Map([...payload].slice(0, size));

// The frame as its page said it, as text; `undefined` where there is no shape, or none that holds.
export function reshaped(message, names) {
  const payload = membersOf(message.get("payload"));
  const shape = payload?.get(SHAPE);
  if (shape === "text") return message.get("msg") ?? undefined;
  if (shape === VALUE) return payload.has(VALUE) ? writeJson(payload.get(VALUE)) : undefined;
  const places = membersOf(shape);
  if (places === undefined) return undefined;
  const members = [...places].map(([name, place]) => [name, memberAt(name, place, message)]);
  if (members.some(([, value]) => value === undefined)) return undefined;
  const frame = new Map(members);
  for (const [name, value] of factsOf(message, names)) if (!frame.has(name)) frame.set(name, value);
  return writeJson(frame);
}

function memberAt(name, place, message) {
  const payload = without(membersOf(message.get("payload")), SHAPE);
  if (place instanceof JsonNumber) return headOf(payload, Number(place.text));
  if (place === "payload") return payload.get(name);
  if (place === "stash") return membersOf(payload.get(STASH))?.get(name);
  return FIELDS.includes(place) ? message.get(place) ?? undefined : itemsOf(place)[0];
}

export function withShape(content, shape) {
  const payload = content.get("payload") ?? new Map();
  return payload.has(SHAPE) ? content : new Map([...content, ["payload", new Map([...payload, [SHAPE, shape]])]]);
}
