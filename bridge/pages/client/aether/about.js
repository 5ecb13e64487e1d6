// A client of Aether V3 for browsers: `connect({host, group_id, client_id, api_key, jwt})`, and it stays connected.
//
// At most once, as the bridge: what was handed to a connection is never said again, since it may have been heard. What
// is said while there is none waits in a bounded queue, and what is dropped from it is told. It must never come back
// unchanged after a close code of 4000-4499, and never faster than it was asked to.
//
// Who comes back hears what was said meanwhile, each message once and in order, before anything new. Where the bridge
// cannot prove that this is all, there is a `gap`.
//
// Events, each with a WS_Message_V3 as `detail`: `msg`, `cmd`, `presence` (also `join`, `leave`), `heartbeat`, `error`
// (the bridge's ERROR), `resumed` (it has come back, and has heard what was missed), `gap` (something may be missing),
// and `message` for all of them. Besides: `state`, `dropped`. `aether.d.ts` has the types.
