// Where the bridge is, and one WebSocket to it. It must never reconnect and never decide what a close means.

const CREDENTIALS = ["api_key", "jwt", "x_account_id"];
const PATH = /^(.*)\/v3\/ws\/group\/([^/]+)\/client\/([^/]+)$/;
const OWN_MACHINE = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;
const ABNORMAL = 1006;
const OPEN = 1;

// The V3 address for these options. `url` may be all of it, or where the bridge is; `host` is enough, or nothing.
export function addressOf(options) {
  const { base, group_id, client_id, credentials } = placeOf(options);
  if (!group_id || !client_id) throw new TypeError("connect() needs a group_id and a client_id");
  const path = `/v3/ws/group/${encodeURIComponent(group_id)}/client/${encodeURIComponent(client_id)}`;
  const query = new URLSearchParams(credentials).toString();
  return base.replace(/^http/, "ws") + path + (query && `?${query}`);
}

export function originOf(options) {
  return placeOf(options).base.replace(/^ws/, "http");
}

export function authOf(options) {
  const { group_id, client_id, credentials } = placeOf(options);
  return { ...credentials, group_id, client_id };
}

function placeOf(options) {
  const given = new URL(options.url ?? (options.host ? `//${options.host}` : "/"), pageOf(options));
  const [, prefix, group, client] = PATH.exec(given.pathname) ?? [];
  return {
    base: `${given.protocol}//${given.host}${prefix ?? given.pathname.replace(/\/$/, "")}`,
    group_id: options.group_id ?? (group && decodeURIComponent(group)),
    client_id: options.client_id ?? (client && decodeURIComponent(client)),
    credentials: credentialsOf(options, given.searchParams),
  };
}

// The page's own address, where there is one on the web. Else a host is spoken to in secret, but for one's own machine.
function pageOf({ url, host }) {
  const [page] = [globalThis.location?.href, globalThis.origin].filter((one) => /^https?:/.test(one));
  if (page || (url && !url.startsWith("/"))) return page;
  if (!host && !url?.startsWith("//")) throw new TypeError("outside of a web page connect() needs a url or a host");
  return OWN_MACHINE.test(host ?? url.split("/")[2]) ? "http://localhost" : "https://localhost";
}

function credentialsOf(options, query) {
  const found = [...CREDENTIALS.map((name) => [name, options[name] ?? query.get(name)]), ["since", options.since]];
  return Object.fromEntries(found.filter(([, value]) => typeof value === "string" && value !== ""));
}

// `events` = {linked(), heard(message), ended({code, reason, unsent})}.
export class SocketLink {
  #socket;
  #unsent = []; // a browser drops without a word what is said to a socket that closes
  #late;
  #end;
  #isLeft = false;
  #isRefused = false; // something, after it was left
  #hasEnded = new Promise((resolve) => (this.#end = resolve));

  constructor(WebSocket, address, milliseconds, events) {
    const socket = (this.#socket = new WebSocket(address));
    this.#late = setTimeout(() => this.#abandon(`not open in ${milliseconds / 1000} s`), milliseconds);
    this.#hasEnded.then((end) => {
      clearTimeout(this.#late);
      events.ended({ code: end.code, reason: end.reason, unsent: this.#unsent });
    });
    socket.addEventListener("open", () => {
      clearTimeout(this.#late);
      events.linked();
    });
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data), events));
    socket.addEventListener("close", (end) => this.#end(end));
    // Some tell no `close` after the `error` of a handshake that failed.
    socket.addEventListener("error", () => setTimeout(this.#end, 0, { code: ABNORMAL, reason: "" }));
  }

  send(text) {
    if (this.#socket.readyState === OPEN) this.#socket.send(text);
    else this.#unsent.push(text);
  }

  // Whether all that was said has arrived: who answers a close has read what came before it, and has refused nothing.
  close(code, reason) {
    this.#socket.close(code, reason);
    this.#isLeft = true;
    return this.#hasEnded.then((end) => end.wasClean === true && end.code === code && !this.#isRefused);
  }

  #hear(message, events) {
    if (this.#isLeft) this.#isRefused ||= message.cmd === "ERROR" && message.from_id === "server";
    else events.heard(message);
  }

  #abandon(reason) {
    this.#end({ code: ABNORMAL, reason });
    this.#socket.close();
  }
}
