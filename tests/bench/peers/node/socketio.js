// Socket.IO with its Redis adapter: what a client says is emitted to every client of its group.
// Usage: PORT=… REDIS_URL=… NODE_PATH=…/node_modules node socketio.js
"use strict";

const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

async function main() {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);

  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });
  io.on("connection", (socket) => {
    const { group } = socket.handshake.query;
    socket.join(group);
    socket.on("message", (message) => io.to(group).emit("message", message));
  });
  http.listen(Number(process.env.PORT), "127.0.0.1");
}

main();
