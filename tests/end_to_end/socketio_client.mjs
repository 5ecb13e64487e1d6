// Clients of npm's `socket.io-client`, as many as are ordered. Orders are lines of JSON on stdin; what each client
// hears is printed, a line of JSON each. The one argument is the package's directory. It decides nothing.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { io } = createRequire(import.meta.url)(process.argv[2]);
const clients = new Map();

function tell(name, event, said) {
  process.stdout.write(`${JSON.stringify({ name, event, said: said ?? null })}\n`);
}

const orders = {
  open({ name, url, options }) {
    const client = io(url, { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 300, ...options });
    clients.set(name, client);
    client.io.on("open", () => client.io.engine.on("upgrade", (transport) => tell(name, "upgrade", transport.name)));
    client.on("connect", () => tell(name, "connect", { id: client.id, transport: client.io.engine.transport.name }));
    client.on("connect_error", (error) => tell(name, "connect_error", { message: error.message, data: error.data }));
    client.on("disconnect", (reason) => tell(name, "disconnect", reason));
    client.on("message", (said) => tell(name, "message", said));
  },
  say({ name, said, number }) {
    if (number === undefined) clients.get(name).emit("message", said);
    else clients.get(name).emit("message", said, (answer) => tell(name, "answer", { number, answer }));
  },
  close({ name }) {
    clients.get(name).disconnect();
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const order = JSON.parse(line);
    orders[order.do](order);
  })
  .on("close", () => process.exit(0));
