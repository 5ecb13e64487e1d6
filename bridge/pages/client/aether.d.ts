// Types of `aether.js`: what a V3 client says, hears and is told. Nothing runs here.

export type MsgType = "msg" | "cmd" | "heartbeat" | "presence";
export type Target = "direct" | "group" | "broadcast" | "echo";

/** One V3 message as every listener hears it. What nobody set is not there. */
export interface WS_Message_V3 {
  version: "3";
  msg_type: MsgType;
  target: Target;
  /** The sender's client id; `server` where the bridge speaks. */
  from_id: string;
  to_id?: string;
  group_id: string;
  cmd?: string;
  msg?: string;
  payload?: Record<string, unknown>;
  /** ISO 8601, UTC, microseconds. */
  sent_at: string;
}

/** What a client may say: the rest is the bridge's to set. */
export type Said =
  | { msg_type: MsgType; target: "direct"; to_id: string; cmd?: string; msg?: string; payload?: object }
  | { msg_type: MsgType; target: Exclude<Target, "direct">; cmd?: string; msg?: string; payload?: object };

/** A text, or a message without its type and target. */
export type What = string | { msg?: string; cmd?: string; payload?: object };

export interface Member {
  client_id: string;
  protocol: "v2" | "v3" | "socketio";
  since: string;
}

/** `cmd` `ERROR`: `msg` says what to do, `payload` which of your messages it was and what is wrong with it. */
export interface Refusal extends WS_Message_V3 {
  msg_type: "cmd";
  cmd: "ERROR";
  msg: string;
  payload: {
    code: RefusalCode;
    retry: boolean;
    detail: { field: string; problem: string }[];
    refused: { msg_type?: string; target?: string; to_id?: string; cmd?: string };
    retry_after_ms?: number;
  };
}

export type RefusalCode =
  | "invalid_id"
  | "invalid_message"
  | "invalid_json"
  | "not_connected"
  | "not_allowed"
  | "unauthenticated"
  | "token_expired"
  | "forbidden"
  | "stage_legacy"
  | "message_too_big"
  | "binary_not_supported"
  | "rate_limited"
  | "slow_consumer"
  | "overloaded"
  | "keys_unavailable"
  | "going_away"
  | "bus_down"
  | (string & {});

/** `cmd` `RESUMED`: the client has come back, and what was said meanwhile has been told before this. */
export interface Resumed extends WS_Message_V3 {
  msg_type: "cmd";
  cmd: "RESUMED";
  payload: {
    /** Whether that was all. Where this cannot be proven nothing was told, and a `gap` follows. */
    complete: boolean;
    /** How many messages it was. */
    missed: number;
    /** Where the client stands now; `null` where the bridge does not know. */
    cursor: string | null;
  };
}

/**
 * `cmd` `GAP`: between these moments something may have been missed. Fetch anew what you need. `from` is 1970 where a
 * cursor was given as `since`: how old that is only the bridge knows.
 */
export interface Gap extends WS_Message_V3 {
  msg_type: "cmd";
  cmd: "GAP";
  payload: { from: string; to: string };
}

/** `JOIN` or `LEAVE`. */
export interface Presence extends WS_Message_V3 {
  msg_type: "presence";
  cmd: "JOIN" | "LEAVE";
  payload: { client_id: string; protocol: Member["protocol"]; since: string };
}

export type State = "connecting" | "open" | "waiting" | "closed";
export type Transport = "websocket" | "polling";
export type Outcome = "sent" | "queued" | "dropped";

export interface StateChange {
  state: State;
  transport?: Transport;
  /** Of the connection that ended, where one did. */
  code?: number;
  reason?: string;
  /** How long it waits before it comes back. */
  pauseMilliseconds?: number;
}

export interface Dropped {
  message: Said;
  /**
   * `queue_full`, `too_big` and `closed`: it was never said. `unconfirmed`: it was handed on, and the connection was
   * lost, or the bridge refused something unread, before the bridge confirmed it. It may have been heard, and is not
   * said again.
   */
  reason: "queue_full" | "too_big" | "closed" | "unconfirmed";
}

export interface Events {
  /** Every message, after its own event. */
  message: WS_Message_V3;
  msg: WS_Message_V3;
  /** Commands, the bridge's own ERROR, GAP and RESUMED excepted. */
  cmd: WS_Message_V3;
  /** JOIN, LEAVE, status updates, answers to `members()`. */
  presence: WS_Message_V3;
  join: Presence;
  leave: Presence;
  heartbeat: WS_Message_V3;
  error: Refusal;
  /** After each return to a bridge that knows of it; the messages that were missed came before, as their own events. */
  resumed: Resumed;
  /** Where a return is not proven complete, and where the bridge has missed something itself. */
  gap: Gap;
  state: StateChange;
  dropped: Dropped;
}

export interface Options {
  /** Where the bridge is (`wss://api.example.com`), or the whole V3 address. Else `host`, else the page's own. */
  url?: string;
  host?: string;
  group_id?: string;
  client_id?: string;
  api_key?: string;
  /**
   * A function is asked before each connection, and again after a pause when the bridge says 4401, or when it gives no
   * token within `answerSeconds`. With a token that was refused nobody connects again.
   */
  jwt?: string | (() => string | undefined | Promise<string | undefined>);
  x_account_id?: string;
  /**
   * Up to where everything was heard before: the `cursor` of an earlier client, the `since` of a V2 notice, or the
   * `sent_at` of a message. Then the first connection resumes, too.
   */
  since?: string | null;
  /** 45. */
  heartbeatSeconds?: number;
  /** 10: for a token, to open, and to answer; then a connection counts as lost. */
  answerSeconds?: number;
  /** 10: open so long, the next loss begins with the shortest pause again. */
  stableSeconds?: number;
  /** 0.5, doubled with each loss, and jittered. */
  firstPauseSeconds?: number;
  /** 30. */
  longestPauseSeconds?: number;
  /** 256: more than that, and the oldest is dropped. */
  maxQueued?: number;
  /** Both; polling is Socket.IO's, and taken where a WebSocket twice did not open. */
  transports?: Transport[];
  /** The global one. Where there is none (Node 20) that of npm's `ws`. */
  WebSocket?: new (url: string) => object;
}

/** Connects, and stays connected until `close()` or a close code of 4000-4499. */
export function connect(options: Options): AetherClient;

export class AetherClient extends EventTarget {
  constructor(options: Options);
  readonly state: State;
  /** `undefined` while there is no connection. */
  readonly transport: Transport | undefined;
  readonly queued: number;
  /** Where the client stands in what is said to it: what a page may keep, to give it back as `since` after a reload. */
  readonly cursor: string | undefined;
  send(message: Said): Outcome;
  /** A `msg` to the group. */
  say(msg: string, payload?: object): Outcome;
  /** A `cmd` to the group. */
  command(cmd: string, payload?: object): Outcome;
  direct(to_id: string, what: What): Outcome;
  broadcast(what: What): Outcome;
  /** The milliseconds of one round trip. Rejects while there is no connection. */
  echo(): Promise<number>;
  /** Who is in the group. Rejects while there is no connection. */
  members(): Promise<Member[]>;
  close(code?: number, reason?: string): void;
  /** The returned function takes the handler away. */
  on<Type extends keyof Events>(type: Type, handler: (detail: Events[Type]) => void): () => void;
  addEventListener<Type extends keyof Events>(
    type: Type,
    listener: (event: CustomEvent<Events[Type]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
