// Where the bridge is, and one WebSocket to it. It must never reconnect and never decide what a close means.

const CREDENTIALS = ["api_key", "jwt", "x_account_id"];
const PATH = /^(.*)\/v3\/ws\/group\/([^/]+)\/client\/([^/]+)$/;

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
  const { host, url = host ? `//${host}` : "/" } = options;
  const given = new URL(url, globalThis.location?.href);
  const [, prefix, group, client] = PATH.exec(given.pathname) ?? [];
  return {
    base: given.origin + (prefix ?? given.pathname.replace(/\/$/, "")),
    group_id: options.group_id ?? (group && decodeURIComponent(group)),
    client_id: options.client_id ?? (client && decodeURIComponent(client)),
    credentials: credentialsOf(options, given.searchParams),
  };
}

function credentialsOf(options, query) {
  const found = CREDENTIALS.map((name) => [name, options[name] ?? query.get(name)]);
  return Object.fromEntries(found.filter(([, value]) => typeof value === "string" && value !== ""));
}

// `events` = {linked(), heard(message), ended({code, reason})}.
export function openSocket(address, milliseconds, events) {
  const socket = new WebSocket(address);
  const late = setTimeout(() => socket.close(), milliseconds);
  socket.addEventListener("open", () => {
    clearTimeout(late);
    events.linked();
  });
  socket.addEventListener("message", ({ data }) => events.heard(JSON.parse(data)));
  socket.addEventListener("close", ({ code, reason }) => {
    clearTimeout(late);
    events.ended({ code, reason });
  });
  return socket;
}
