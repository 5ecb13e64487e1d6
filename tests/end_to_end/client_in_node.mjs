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
  // Tells each of its states, and that it hears somebody count in it; in the end what it has heard.
  async follow() {
    const client = connect({ url, ...options });
    const told = { numbers: [], resumed: [], gaps: 0 };
    let last;
    const tell = (news) => news !== last && console.log(JSON.stringify((last = news)));
    client.on("state", ({ state }) => tell(state));
    client.on("msg", () => client.state === "open" && tell("hearing"));
    client.on("msg", ({ payload }) => told.numbers.push(payload.number));
    client.on("resumed", ({ payload }) => told.resumed.push(payload.complete));
    client.on("gap", () => (told.gaps += 1));
    await until(client, () => told.numbers.at(-1) === options.last);
    client.close();
    return told;
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
