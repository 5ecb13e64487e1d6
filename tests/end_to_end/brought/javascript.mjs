// npm's socket.io-client, of whichever version lies in the directory that is named first.
// Arguments: directory, transports, address, key, client id. A line on stdin is said; what is heard is printed.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [directory, transports, url, api_key, client_id] = process.argv.slice(2);
const { io } = createRequire(import.meta.url)(directory);
const auth = { api_key, group_id: "team", client_id };
const client = io(`${url}/v3`, { auth, transports: transports.split(",") });
client.once("connect", () => console.log("ready"));
client.on("connect_error", (error) => console.log(`failed ${error.message}`));
client.on("message", (said) => console.log(`heard ${JSON.stringify(said)}`));
createInterface({ input: process.stdin })
  .on("line", (line) => client.emit("message", JSON.parse(line)))
  .on("close", () => { client.disconnect(); process.exit(0); });
