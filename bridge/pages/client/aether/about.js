// A client of Aether V3 for browsers: `connect({host, group_id, client_id, api_key, jwt})`, and it stays connected.
//
// At most once, as the bridge: what was handed to a connection is never said again, since it may have been heard. What
// is said while there is none waits in a bounded queue, and what is dropped from it is told. It must never come back
// unchanged after a close code of 4000-4499, and never faster than it was asked to.
//
// Events, each with a WS_Message_V3 as `detail`: `msg`, `cmd`, `presence` (also `join`, `leave`), `heartbeat`, `error`
// (the bridge's ERROR), `gap` (something may have been missed), and `message` for all of them. Besides: `state`,
// `dropped`. `aether.d.ts` has the types.
