// Where a client connects: the URL for what its form says. Pure: it opens nothing and shows nothing.

const PREFIXES = { v2: "/ws/", v2_redis: "/ws_redis/", v3: "/v3/ws/" };
const CREDENTIALS = ["api_key", "jwt", "x_account_id"];

export function isV3(protocol) {
  return protocol === "v3";
}

// Why a browser cannot connect with these ids, or `undefined`. Whether the bridge accepts them, it says itself.
export function problemOf({ protocol, group, client }) {
  if ([group, client].some((id) => id === "." || id === "..")) return "A browser drops . and .. from an address.";
  if (isV3(protocol) && !(group && client)) return "V3 needs both a group and a client id.";
  return undefined;
}

export function addressOf(place, { masked = false, base = window.location } = {}) {
  const scheme = base.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${base.host}${pathOf(place)}${queryOf(place, masked)}`;
}

function pathOf({ protocol, group, client }) {
  const steps = [];
  if (group) steps.push("group", encodeURIComponent(group));
  if (client) steps.push("client", encodeURIComponent(client));
  return PREFIXES[protocol] + steps.join("/");
}

function queryOf(place, masked) {
  const query = CREDENTIALS.filter((name) => place[name]).map(
    (name) => `${name}=${masked ? "•••" : encodeURIComponent(place[name])}`,
  );
  return query.length ? `?${query.join("&")}` : "";
}
