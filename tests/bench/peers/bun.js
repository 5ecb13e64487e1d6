// Bun's own WebSocket server (uWebSockets inside): what a client says is published to its group. No Redis between.
// Usage: PORT=… bun bun.js

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    const group = new URL(request.url).pathname.slice(1);
    return server.upgrade(request, { data: { group } }) ? undefined : new Response("no WebSocket", { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 120,
    open(socket) {
      socket.subscribe(socket.data.group);
    },
    message(socket, message) {
      server.publish(socket.data.group, message);
    },
  },
});
