// Refusals, notices and close codes in words: what happened, and what to do next on this page. Pure: it never decides
// whether something was refused.

const REFUSALS = {
  invalid_id: [
    "These ids cannot be used here.",
    "V3 takes random string ids: 1 to 64 of A-Z a-z 0-9 _ -, not all digits. Change them above and connect again.",
  ],
  invalid_message: [
    "The bridge refused this message; nobody heard it.",
    "Correct the fields named here and send it again. Your own data belong into payload.",
  ],
  invalid_json: ["The bridge could not read this as JSON; nobody heard it.", "Send one JSON object."],
  not_connected: [
    "Nobody with this id is connected; nobody heard it.",
    "Check the recipient, or add a client with that id and connect it. A V2 client 42 is called v2-42 in V3.",
  ],
  not_allowed: [
    "This key may not broadcast.",
    "Send to a group or to one client, or use a key with a broadcast grant.",
  ],
  unauthenticated: [
    "The bridge does not know these credentials.",
    "Open Credentials, enter a valid api_key (and a jwt where one is used), and connect again.",
  ],
  token_expired: ["The jwt has expired.", "Enter a new jwt under Credentials and connect again."],
  forbidden: [
    "This key or token may not use this account or client id.",
    "Check x_account_id, the account in the jwt, and the client id.",
  ],
  stage_legacy: [
    "This account is not on V3 yet.",
    "Choose V2 as the protocol, or ask the operator to change the stage.",
  ],
  message_too_big: [
    "The message is larger than the bridge takes.",
    "Connect again and send less; the limit is max_message_bytes.",
  ],
  binary_not_supported: ["The bridge takes text frames only.", "Connect again and send text."],
  v2_retired: ["V2 is retired for this account.", "Choose V3 as the protocol and connect again."],
  moved_to_v3: ["This client has moved to V3.", "Choose V3 as the protocol and connect again."],
  rate_limited: [
    "Too many messages in too short a time; this one was not delivered.",
    "Wait a moment and send more slowly.",
  ],
  slow_consumer: ["This client did not read fast enough.", "Connect again."],
  overloaded: ["This bridge serves as many as it can.", "Connect again after a pause."],
  keys_unavailable: [
    "The keys that check the jwt cannot be fetched now; it may be good.",
    "Connect again in a moment, or ask the operator about jwks_url.",
  ],
  going_away: ["The bridge is restarting, or this client got another name.", "Connect again in a moment."],
  bus_down: ["Redis cannot be reached: the message may not have been delivered.", "Send it again later."],
};

const NOTICES = {
  gap: ["Messages may have been missed while Redis could not be reached.", "Ask for what matters to you again."],
  GAP: ["Messages may have been missed while Redis could not be reached.", "Ask for what matters to you again."],
  moved_to_v3: REFUSALS.moved_to_v3,
  v2_retired: REFUSALS.v2_retired,
};

const CLOSES = {
  1000: ["The connection was closed.", ""],
  1001: ["The other end went away.", "Connect again."],
  1002: ["The bridge saw a frame that is no WebSocket frame.", "Connect again."],
  1003: REFUSALS.binary_not_supported,
  1007: ["A text frame was not UTF-8.", "Connect again."],
  1009: REFUSALS.message_too_big,
  1011: ["The bridge failed.", "Look at its log, then connect again."],
  1012: REFUSALS.going_away,
  4400: REFUSALS.invalid_id,
  4401: REFUSALS.unauthenticated,
  4403: REFUSALS.forbidden,
  4404: REFUSALS.stage_legacy,
  4410: REFUSALS.v2_retired,
  4426: REFUSALS.moved_to_v3,
  4429: ["Too many messages for too long.", "Connect again and send more slowly."],
  4503: REFUSALS.overloaded,
  4508: REFUSALS.slow_consumer,
};
const NEVER_OPEN = [
  "The bridge did not accept the connection, and a browser is not told why.",
  "Check that it runs, that its Redis is up (/readyz), and that this page’s origin is allowed.",
];
const BROKEN = ["The connection broke without a goodbye.", "Check that the bridge runs, then connect again."];
const UNKNOWN = ["The bridge refused this.", ""];

// All three give {what, next}: two sentences, the second may be empty.

export function explainRefusal(code, sentence) {
  return worded(Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : [sentence || UNKNOWN[0], ""]);
}

export function explainNotice(notice) {
  return worded(Object.hasOwn(NOTICES, notice) ? NOTICES[notice] : UNKNOWN);
}

export function explainClose({ code, reason, wasOpen }) {
  if (code === 1006) return worded(wasOpen ? BROKEN : NEVER_OPEN);
  if (reason && Object.hasOwn(REFUSALS, reason)) return worded(REFUSALS[reason]);
  return worded(CLOSES[code] ?? ["The connection was closed.", code < 4500 ? "" : "Connect again after a pause."]);
}

function worded([what, next]) {
  return { what, next };
}
