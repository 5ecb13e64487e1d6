// V2 words -> V3 words, as compat/upgrade.py. Pure: it never decides who hears a message.

import { addressOf } from "./lenient.js";
import { isObject, isText, membersOf, NotJson, readFrame } from "./json.js";
import { isRecipient, recipientOf } from "./names.js";
import { CLAIMS, EVENTS, STASH, TYPES, TYPES_OF_V3 } from "./words.js";

export const VALUE = "value";

class Reading {
  constructor(frame, names, dialect) {
    this.unused = new Map(frame);
    this.names = names;
    this.dialect = dialect;
    this.disbelieved = new Map();
  }

  content() {
    const { spellings, commands } = this.dialect;
    const type = this.#type();
    const isEvent = (value) => type === "presence" && EVENTS.includes(value);
    for (const word of spellings.cmd) if (isEvent(this.unused.get(word))) this.disbelieved.set(word, this.#pop(word));
    let cmd = this.#take(spellings.cmd, isText);
    const fits = (one) => this.unused.has(one) && !isEvent(commands.get(one));
    const word = cmd === undefined ? [...commands.keys()].find(fits) : undefined;
    if (word !== undefined) cmd = commands.get(word);
    const said = new Map([["msg_type", type ?? (cmd === undefined ? "msg" : "cmd")], ...this.address()]);
    const msg = this.#take(spellings.msg, isText);
    const payload = this.#payload(word);
    for (const [name, value] of Object.entries({ cmd, msg, payload })) if (value !== undefined) said.set(name, value);
    return said;
  }

  #find(words, fits) {
    return words.find((word) => this.unused.has(word) && fits(this.unused.get(word)));
  }

  #take(words, fits) {
    const word = this.#find(words, fits);
    return word === undefined ? undefined : this.#pop(word);
  }

  #pop(word) {
    const value = this.unused.get(word);
    this.unused.delete(word);
    return value;
  }

  #type() {
    const [plain, ...spelled] = this.dialect.spellings.msg_type;
    if (TYPES_OF_V3.includes(this.unused.get(plain))) return this.#pop(plain);
    return TYPES.get(this.#take(spelled, (value) => TYPES.has(value)));
  }

  address() {
    const { spellings } = this.dialect;
    const recipient = this.#find(spellings.to_id, isRecipient);
    const known = recipient === undefined ? ["group", "broadcast"] : ["group", "broadcast", "direct"];
    const fallback = recipient === undefined ? "group" : "direct";
    const target = this.#take(spellings.target, (value) => known.includes(value)) ?? fallback;
    if (target !== "direct") return [["target", target]];
    return [["target", target], ["to_id", this.names.nameOf(recipientOf(this.#pop(recipient)))]];
  }

  #payload(commandWord) {
    const word = this.#find(this.dialect.spellings.payload, isObject);
    const container = word === undefined ? undefined : membersOf(this.#pop(word));
    let [places, stash] = this.#settle(container ?? new Map(), commandWord);
    if (word !== undefined && places.has(STASH) && stash.has(STASH)) {
      [places, stash] = this.#settle(new Map(), commandWord);
      stash.set(word, container);
    }
    if (stash.size) {
      if (places.has(STASH)) stash.set(STASH, places.get(STASH));
      places.set(STASH, stash);
    }
    return container === undefined && !places.size ? undefined : places;
  }

  // Each unused member in its place, or in the stash where that place is taken or not its own.
  #settle(container, commandWord) {
    const places = new Map(container);
    const stash = new Map(this.disbelieved);
    if (commandWord !== undefined) {
      const isTaken = places.has(VALUE);
      (isTaken ? stash : places).set(isTaken ? commandWord : VALUE, this.unused.get(commandWord));
    }
    for (const [name, value] of this.unused) {
      if (name === commandWord) continue;
      (CLAIMS.includes(name) || places.has(name) ? stash : places).set(name, value);
    }
    return [places, stash];
  }
}

const TO_NOBODY = [["target", "direct"], ["to_id", "server"]]; // no client has the server's name

export const textContent = (text, address = [["target", "group"]]) =>
  new Map([["msg_type", "msg"], ...address, ["msg", text]]);

export const addressIn = (content) => [...content].filter(([name]) => name === "target" || name === "to_id");

// Nothing is heard by more people than it names, though it be no JSON.
function textFor(text, names, dialect) {
  const named = addressOf(text, dialect.spellings.to_id, dialect.spellings.target);
  return textContent(text, named === undefined ? TO_NOBODY : new Reading(named, names, dialect).address());
}

function upgrade(frame, names, dialect) {
  if (frame instanceof Map) return new Reading(frame, names, dialect).content();
  return new Map([["msg_type", "msg"], ["target", "group"], ["payload", new Map([[VALUE, frame]])]]);
}

// `{content, frame}`; `frame` is `undefined` where the text is no JSON to us.
export function upgradeText(text, names, dialect) {
  try {
    const frame = readFrame(text, dialect.saidAs.payload);
    return { content: upgrade(frame, names, dialect), frame };
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    return { content: textFor(text, names, dialect), frame: undefined };
  }
}
