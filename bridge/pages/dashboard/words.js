// What the dashboard calls things: stages, routings, outcomes and numbers in words. Pure data and pure functions; it
// never decides what may be done.

export const STAGES = ["legacy", "bridge", "drain", "v3"];
export const PROTOCOLS = { v2: "V2", v3: "V3", socketio: "Socket.IO" };
export const MEANINGS = {
  legacy: "V2 alone may connect.",
  bridge: "V2 and V3 may connect, and each hears the other.",
  drain: "V2 clients are sent to V3, by the share.",
  v3: "V3 alone may connect: V2 is over.",
};
export const ROUTINGS = {
  global: "every V2 client hears everything",
  group: "V2 is routed as V3 is",
};
export const REFUSALS = {
  v2_retired: "V2 is retired",
  moved_to_v3: "moved to V3",
  stage_legacy: "not on V3 yet",
  unauthenticated: "bad key or token",
  token_expired: "token expired",
  forbidden: "may not use this",
  invalid_id: "invalid id",
};
export const NO_ID = "no id";

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

export function number(value) {
  return Math.abs(value) < 10 ? fine.format(value) : whole.format(value);
}

// A share between 0 and 1. Nothing but 0 is called 0, nothing but the whole 100.
export function percent(share) {
  if (share > 0 && share < 0.001) return "under 0.1 %";
  const shown = share < 1 ? Math.min(share * 100, 99.9) : 100;
  return `${number(shown)} %`;
}

// `one client`, `2 clients`.
export function counted(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

// Where a tenant stands: the share matters in one stage alone.
export function standing({ stage, share }) {
  return stage === "drain" ? `drain ${share} %` : stage;
}

export function isSameStanding(one, other) {
  return standing(one) === standing(other);
}

export function everybody({ v2, v3, socketio = 0 }) {
  return v2 + v3 + socketio;
}

// How far a tenant has come, from 0 to 1; `undefined` where nobody is connected.
export function progress(connections) {
  const all = everybody(connections);
  return all === 0 ? undefined : connections.v3 / all;
}

export function progressInWords(connections) {
  const share = progress(connections);
  return share === undefined ? "Nobody is connected" : `${percent(share)} on V3`;
}
