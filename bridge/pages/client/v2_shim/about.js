// Lets a page that was written for WebSocket V2 speak V3, unchanged: one line before the page's own scripts.
//
//   <script src="https://api.example.com/client/v2-shim.js"></script>
//
//   data-bridge="wss://api.example.com"   where V3 is, if not on the host of the page's own V2 addresses
//   data-hosts="api.example.com"          where V2 was: these hosts alone. Else the page's own host, the script's, and
//                                         that of data-bridge. What is like V2 elsewhere is other people's
//   data-dialect='{"reload":{"cmd":"RELOAD_UI"}}'   instead of the tenant's dialect, which the bridge tells
//   data-ids='{"42":"Xk3dQ"}'             of the tenant's id map, which the bridge tells by the name that is heard
//   data-heartbeat-seconds="45"   data-max-message-bytes="65536"
//
// Where there are no attributes (a module, a worker) `globalThis.aetherV2Shim = {bridge, dialect, …}` says the same.
//
// It replaces `WebSocket` for V2 addresses alone: /ws/… and /ws_redis/…, whatever has wrapped `WebSocket` before; where
// it cannot, it says so on the console and does nothing. It must never reconnect by itself, since V2 pages do that, never
// lose what the page said, and never send credentials where the page did not mean to.
//
// What a page notices:
// - In V2 everyone heard everything of the tenant. Here it hears its own group, what is said to it, and broadcasts.
//   What it says to one recipient it hears itself, as in V2; other pages do not, and nobody else hears its heartbeats.
// - Between two pages with the shim a frame keeps every word of its own. What would not survive the way through V3 is
//   described in `payload._v2_shape`, which V3 clients can pass over: as seldom as can be, since they see it. A frame
//   that needs no description also tells its `type`, as the bridge does in V2 words, and the order of its words may be
//   another. Every frame tells `client_id`, `group_id` and `sent_at`, unless it has such words of its own. Blanks and
//   doubled keys are not kept.
// - What a V3 client says is heard as the bridge says it to V2: `{"type":"msg","msg":"hi","client_id":"alice",…}`.
// - It says no more than the bridge takes; what is too fast waits, as `bufferedAmount` shows. More than a thousand frames
//   that wait, and it hears `rate_limited`, as from the bridge.
// - `open` comes when the bridge has answered, one round trip later than in V2.
// - A socket to the address of one that has ended goes on where that one stood: what was missed comes before anything
//   new, or the GAP that V2 knows. Not if the page had closed it, and was answered. Who has closed hears nothing more.
// - While the tenant is in stage `legacy`, V2 is spoken underneath: the line may be added before the move, and stay. The
//   move itself then closes the page's socket with 1012 instead of 4410, so that it comes back, and misses nothing.
