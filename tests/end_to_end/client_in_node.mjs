// `aether.js` in Node, as an npm package: one task, told as an argument, and its answer as one line of JSON.

const [task, url, text] = process.argv.slice(2);
const { connect } = await import("aether-client");
const options = { group_id: "team", client_id: "ann", firstPauseSeconds: 0.1, longestPauseSeconds: 0.4, ...JSON.parse(text ?? "{}") };
if (options.withWs) options.WebSocket = (await import("ws")).WebSocket;
const until = (client, holds) => new Promise((resolve) => {
  const look = () => holds() && resolve();
  for (const type of ["state", "message", "dropped"]) client.on(type, look);
  look();
});

const TASKS = {
  async talk() {
    const client = connect({ url, ...options });
    const [heard, dropped] = [[], []];
    client.on("msg", ({ msg }) => heard.push(msg));
    client.on("dropped", ({ reason }) => dropped.push(reason));
    for (let at = 0; at < 256; at += 1) client.say(`line ${at}`);
    client.say("x".repeat(70_000));
    await until(client, () => heard.length === 256);
    const [trip, members] = [await client.echo(), await client.members()];
    client.close();
    return { heard: heard.every((msg, at) => msg === `line ${at}`), dropped, trip: trip > 0, members: members.length };
  },
  async host() {
    const client = connect(options);
    await until(client, () => client.state === "open");
    client.close();
    return client.state;
  },
  // Until the bridge is there, every handshake fails.
  async wait() {
    const client = connect({ url, ...options });
    const states = [];
    client.on("state", ({ state, code }) => {
      states.push([state, code ?? null]);
      if (states.length === 4) console.log(JSON.stringify(states));
    });
    await until(client, () => client.state === "open");
    client.close();
    return client.state;
  },
  async mistake() {
    try {
      connect({ url, ...options }).close();
      return "none";
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  },
};
console.log(JSON.stringify(await TASKS[task]()));
