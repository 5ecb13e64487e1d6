// Where a client stands in what is said to it: up to where it has heard everything, in the bridge's own words, and since
// when something may be missing. Pure. It must never take for heard what the page was not told.

const UNSETTLED_MILLISECONDS = 2000; // what was said so shortly before the last thing that was heard may be missing

export class Position {
  #since;
  #heardAt;
  #missingFrom;
  #isBroken = false; // the bridge could not prove that all is here

  // `since`: as it was kept of another connection, if there was one.
  constructor(since) {
    this.#since = since || undefined;
    if (this.#since) this.#missingFrom = shortlyBefore(this.#since);
  }

  // What the bridge takes back: the `sent_at` of the last message that others hear too, or a cursor if that is newer.
  get since() {
    return this.#since;
  }

  // What the page is told now.
  hear({ msg_type, target, from_id, cmd, payload, sent_at }) {
    this.#heardAt = sent_at;
    const isResumed = cmd === "RESUMED" && isOfBridge({ msg_type, target, from_id });
    if (isResumed) this.#resumed(payload);
    if (isResumed || msg_type === "heartbeat") this.#since = cursorIn(payload) ?? this.#since;
    else if (target !== "echo") this.#since = sent_at;
  }

  // The connection is lost, open or not. Where nothing was heard yet, nothing is missing.
  lose(wasOpen) {
    if (wasOpen || this.#since) this.#missingFrom ??= shortlyBefore(this.#heardAt);
  }

  // There is one again: what the bridge would say, had it known; nothing where it has proven that all is here. `answer`
  // is a message of its.
  gaps({ group_id, sent_at }) {
    const from = this.#missingFrom;
    this.#missingFrom = undefined;
    this.#isBroken = false;
    if (from === undefined) return [];
    const said = { version: "3", msg_type: "cmd", target: "echo", from_id: "server", group_id, cmd: "GAP" };
    return [{ ...said, payload: { from: from.toISOString(), to: sent_at }, sent_at }];
  }

  #resumed({ complete }) {
    this.#isBroken ||= complete !== true;
    if (!this.#isBroken) this.#missingFrom = undefined;
  }
}

// Whether only the bridge can have said it: an answer, a refusal, a notice.
export function isOfBridge({ msg_type, target, from_id }) {
  return msg_type === "cmd" && target === "echo" && from_id === "server";
}

// An older bridge gives back what it was asked with.
const cursorIn = (payload) => (isCursor(payload?.cursor) ? payload.cursor : undefined);
const isCursor = (value) => typeof value === "string" && value.startsWith("@");

// How old a cursor is only the bridge knows: then everything may be missing.
function shortlyBefore(since) {
  const at = isCursor(since) ? NaN : Date.parse(since);
  return new Date(Number.isNaN(at) ? 0 : at - UNSETTLED_MILLISECONDS);
}
