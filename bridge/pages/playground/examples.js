// What can be said with one press: the guide's examples for V3, and what V2 clients are used to say. Data alone.

export const MESSAGES = [
  ["Group", { msg_type: "msg", target: "group", msg: "Hello team!" }],
  ["Direct", { msg_type: "msg", target: "direct", to_id: "v2-42", msg: "Private message just for you." }],
  ["Broadcast", { msg_type: "cmd", target: "broadcast", cmd: "MAINTENANCE_WARNING" }],
  ["Echo", { msg_type: "msg", target: "echo", msg: "Ping!" }],
  ["Command", { msg_type: "cmd", target: "group", cmd: "RELOAD_UI", payload: { force: true } }],
  ["Heartbeat", { msg_type: "heartbeat", target: "echo" }],
  ["Presence", { msg_type: "presence", target: "echo" }],
];

export const FRAMES = [
  ["Message", '{"msg":"hi"}'],
  ["To one client", '{"to":"alice","text":"psst"}'],
  ["Command", '{"command":"RELOAD_UI","data":{"force":true}}'],
  ["Plain text", "Is anybody there?"],
];

// Each client that is added gets a name that nobody here has yet.
export const CLIENT_IDS = {
  v2: ["42", "43", "44", "45", "46", "47", "48", "49"],
  v3: ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"],
};
export const GROUP = "lobby";
