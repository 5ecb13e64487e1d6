// Which addresses are V2's, and where the same is on V3. It opens nothing.

import { encodeId, hexadecimal, patientUtf8, unquoted } from "./names.js";

const MOST_TOLD = 100;
const DEFAULT_GROUP = "lobby";
const generatedId = `anonymous-${[...crypto.getRandomValues(new Uint8Array(9))].map(hexadecimal).join("")}`;

// `{url, client, group}` for an address of V2, else `undefined`.
export function v2Address(given, isOurs) {
  const url = absolute(given);
  const ids = url && /^(wss?):$/.test(url.protocol) ? idsIn(url.pathname) : undefined;
  if (ids === undefined || !isOurs(url)) return undefined;
  return { url, group: ids.group ?? DEFAULT_GROUP, client: ids.client ?? generatedId };
}

// Whether an address is on one of these hosts; what is like V2's on another is told once.
export function ownHosts(hosts) {
  const told = new Set();
  return ({ host, hostname }) => {
    const isOurs = hosts.includes(host) || hosts.includes(hostname);
    if (!isOurs && !told.has(host)) console.info(`v2-shim.js: ${host} is left alone; if yours, name it in data-hosts`);
    if (told.size < MOST_TOLD) told.add(host);
    return isOurs;
  };
}

// Where nothing is named: the page's own host, the script's, and the bridge's.
export const hostsOf = (...addresses) => addresses.map((address) => address && absolute(address)?.host).filter(Boolean);

function absolute(given) {
  try {
    const url = new URL(given, globalThis.document?.baseURI ?? globalThis.location?.href);
    return new URL(url.href.replace(/^http/, "ws").replace(/#.*$/, ""));
  } catch {
    return undefined;
  }
}

export function idsIn(path) {
  const unquote = (segment) => unquoted(segment, /%([0-9A-Fa-f]{2})/y, patientUtf8);
  const [, prefix, ...segments] = path.split("/").map(unquote);
  if (prefix !== "ws" && prefix !== "ws_redis") return undefined;
  const [first, second, third, fourth] = segments;
  if (segments.length === 0 || (segments.length === 1 && first === "")) return {};
  if (segments.length === 1) return { client: first };
  if (segments.length === 2 && first === "group" && second) return { group: second };
  if (segments.length === 2 && first === "client" && second) return { client: second };
  const isBoth = segments.length === 4 && first === "group" && third === "client" && second && fourth;
  return isBoth ? { group: second, client: fourth } : undefined;
}

export const withScheme = (bridge, protocol) => (/^\w+:\/\//.test(bridge) ? bridge : `${protocol}//${bridge}`);

// The same place on the bridge; `path` where it is not the one that the page named, `since` where it stands there.
export function onBridge({ url }, bridge, path = url.pathname, since = undefined) {
  const named = bridge && absolute(withScheme(bridge, url.protocol)).href;
  const base = named || url.origin;
  const query = since ? `${url.search || "?"}&since=${encodeURIComponent(since)}` : url.search;
  return base.replace(/\/$/, "") + path + query;
}

export const v3Path = ({ group, client }) => `/v3/ws/group/${encodeId(group)}/client/${encodeId(client)}`;
