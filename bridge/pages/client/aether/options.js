// What a client is told when it is made, and what holds where nothing is told. A mistake is thrown here, not later.

import { addressOf } from "./link.js";

const FAILURES_BEFORE_POLLING = 2;
const DEFAULTS = {
  heartbeatSeconds: 45,
  answerSeconds: 10, // for a token, to open, and to answer, before a connection counts as lost
  stableSeconds: 10, // open so long, the next loss begins with the shortest pause again
  firstPauseSeconds: 0.5,
  longestPauseSeconds: 30,
  maxQueued: 256,
  transports: ["websocket", "polling"],
};

export function optionsFrom(given) {
  const options = { ...DEFAULTS, WebSocket: globalThis.WebSocket, ...given };
  addressOf(options);
  if (options.WebSocket || given.transports?.includes("polling") || globalThis.location) return options;
  throw new TypeError("there is no WebSocket here: pass one, such as that of npm's ws, as the option WebSocket");
}

// `unopened`: how many WebSockets in a row did not open.
export function transportFor({ transports, WebSocket }, unopened) {
  const isBlocked = unopened >= FAILURES_BEFORE_POLLING || !WebSocket;
  return transports.includes("polling") && (isBlocked || !transports.includes("websocket")) ? "polling" : "websocket";
}
