// What may have been missed while there was no connection, by the bridge's clock. Pure.

const UNSETTLED_MILLISECONDS = 2000; // what was said so shortly before the last thing that was heard may be missing

export class Missed {
  #heardAt;
  #since;

  hear({ sent_at }) {
    const at = Date.parse(sent_at);
    if (!Number.isNaN(at)) this.#heardAt = at;
  }

  // The connection is lost.
  begin() {
    this.#since ??= new Date((this.#heardAt ?? Date.now()) - UNSETTLED_MILLISECONDS);
  }

  // There is one again: what the bridge would say, had it known. Nothing for the first connection.
  end({ group_id, sent_at }) {
    const since = this.#since;
    this.#since = undefined;
    if (since === undefined) return [];
    const payload = { from: since.toISOString(), to: sent_at };
    const said = { version: "3", msg_type: "cmd", target: "echo", from_id: "server", group_id, cmd: "GAP" };
    return [{ ...said, payload, sent_at }];
  }
}
