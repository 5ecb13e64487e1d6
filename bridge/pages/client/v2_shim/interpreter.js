// What one connection says and hears: a page's text -> V3 frames; a V3 frame -> texts for the page. It opens nothing,
// and never lets a page's word be lost silently.

import { hear, isSpoken } from "./downgrade.js";
import { depthOf, isText, MAX_DEPTH, itemsOf, membersOf, without, writeJson } from "./json.js";
import { encodeId, Names, utf8 } from "./names.js";
import { reshaped, shapeOf, withShape } from "./shape.js";
import { addressIn, textContent, upgradeText, VALUE } from "./upgrade.js";

const MOST_BROADCASTS = 16;
const HEARTBEAT = [["msg_type", "heartbeat"], ["target", "echo"]];
const heartbeat = (payload) => writeJson(new Map([...HEARTBEAT, ["payload", new Map(payload)]]));
// What the bridge is asked now and then: it knows the tenant's words, and its own limits.
export const QUESTIONS = heartbeat([["limits", true], ["v2_dialect", true]]);
// Comes back with where this socket stands in what is said to it.
export const CURSOR = heartbeat([["cursor", true]]);
// Comes back when the bridge has taken what was said before it. A page itself says nothing to its own echo.
export const CONFIRM = writeJson(new Map([["msg_type", "msg"], ["target", "echo"]]));
export const questionForIds = (names) => heartbeat([["v2_ids", names]]);

export class Interpreter {
  #names;
  #dialect;
  #maxBytes;
  #own;
  #mayBroadcast;
  #broadcasts = [];

  // `own` = {client, group}: the page's V2 ids.
  constructor({ dialect, ids, maxMessageBytes }, own) {
    this.#names = new Names(ids);
    this.#dialect = dialect;
    this.#maxBytes = maxMessageBytes;
    this.#own = own;
  }

  // `{frame, own}`: what is to be said, and what the page is to hear of it itself, as V2 let it hear whatever it said.
  said(text) {
    const { content, frame } = upgradeText(text, this.#names, this.#dialect);
    const target = content.get("target");
    if (content.get("msg_type") === "heartbeat") return { frame: undefined, own: text };
    if (target === "broadcast") return { frame: this.#broadcast(content, frame, text) };
    const isForAnother = target === "direct" && content.get("to_id") !== this.#names.nameOf(this.#own.client);
    return { frame: this.#line(content, frame, text), own: isForAnother ? text : undefined };
  }

  // A frame with which the page hears these texts of its own, and nobody else does; a bare one if they are too many.
  toOneself(texts) {
    const line = heartbeat([[VALUE, texts]]);
    return this.#fits(line) ? line : heartbeat([]);
  }

  // The names in it that a tenant's id map may know by another id, and nobody has asked for.
  unknownNames(message) {
    const named = ["from_id", "group_id", "to_id"].map((field) => message.get(field));
    return named.filter((name) => this.#names.isUnknown(name));
  }

  // What the bridge has said of the names that it was asked for.
  learn(asked, ids) {
    for (const name of asked) this.#names.learnThat(name, ids?.get(name));
  }

  speakAs(dialect) {
    this.#dialect = dialect;
  }

  // `{shown, said}`: texts for the page, and frames to be said because of it.
  heard(message) {
    if (message.get("from_id") === "server" && message.get("target") === "echo") return this.#ofTheBridge(message);
    if (message.get("msg_type") === "heartbeat") return { shown: ownTexts(message), said: [] };
    if (message.get("target") === "broadcast") this.#heardBroadcast(message);
    const shown = message.get("target") === "echo" ? undefined : this.#shown(message);
    return { shown: shown === undefined ? [] : [shown], said: [] };
  }

  // The answer to the first heartbeat says who the page is to V3.
  meet(message) {
    for (const [id, name] of [["client", "from_id"], ["group", "group_id"]]) {
      if (encodeId(this.#own[id]) !== message.get(name)) this.#names.learn(this.#own[id], message.get(name));
      this.#names.learnThat(message.get(name));
    }
  }

  #shown(message) {
    const shaped = reshaped(message, this.#names);
    if (shaped !== undefined) return shaped;
    return isSpoken(message) ? writeJson(hear(message, this.#names, this.#dialect)) : undefined;
  }

  // Described where that is needed and fits; as text where V3 takes nothing else.
  #line(content, frame, text) {
    const shape = shapeOf(frame, content, this.#names, this.#dialect);
    const shaped = shape === undefined ? content : withShape(content, shape);
    for (const line of [shaped, content].filter(fitsIntoV3).map(writeJson)) {
      if (this.#fits(line)) return line;
    }
    return writeJson(fitsIntoV3(content) ? content : withShape(textContent(text, addressIn(content)), "text"));
  }

  #fits(line) {
    return line.length * 3 <= this.#maxBytes || utf8.encode(line).length <= this.#maxBytes;
  }

  // A V2 client whose key may not broadcast spoke to its group.
  #broadcast(content, frame, text) {
    const toGroup = () => this.#line(new Map([...content, ["target", "group"]]), frame, text);
    if (this.#mayBroadcast === false) return toGroup();
    if (this.#mayBroadcast === undefined) this.#broadcasts = [...this.#broadcasts, toGroup].slice(-MOST_BROADCASTS);
    return this.#line(content, frame, text);
  }

  #heardBroadcast(message) {
    if (message.get("from_id") !== this.#names.nameOf(this.#own.client)) return;
    this.#mayBroadcast = true;
    this.#broadcasts = [];
  }

  #ofTheBridge(message) {
    const payload = message.get("payload") ?? new Map();
    if (message.get("cmd") === "GAP") return { shown: [gapText(Object.fromEntries(payload))], said: [] };
    if (message.get("cmd") !== "ERROR") return { shown: [], said: [] };
    const isBroadcast = payload.get("code") === "not_allowed" && this.#broadcasts.length > 0;
    if (!isBroadcast) return { shown: [errorText(message, payload)], said: [] };
    this.#mayBroadcast = false;
    return { shown: [], said: [this.#broadcasts.shift()()] };
  }
}

const fitsIntoV3 = (content) => depthOf(content.get("payload")) <= MAX_DEPTH;

function ownTexts(message) {
  const texts = membersOf(message.get("payload"))?.get(VALUE);
  return itemsOf(texts).filter(isText);
}

function errorText(message, payload) {
  const error = new Map([["error", payload.get("code") ?? null], ["msg", message.get("msg") ?? ""]]);
  const rest = without(payload, "code", "retry", "detail", "refused");
  return writeJson(new Map([["bridge", new Map([...error, ...rest])]]));
}

export function refusalText(code) {
  const msg = "More is said than the bridge takes in: say it more slowly, and this again.";
  return JSON.stringify({ bridge: { error: code, msg } });
}

// `payload`: {from, to}.
export function gapText(payload) {
  return JSON.stringify({ type: "cmd", cmd: "GAP", payload, client_id: "server", bridge: { notice: "gap" } });
}
