// Which addresses are V2's, and where the same is on V3. It opens nothing.

import { encodeId, hexadecimal, patientUtf8, unquoted } from "./names.js";

const DEFAULT_GROUP = "lobby";
const generatedId = `anonymous-${[...crypto.getRandomValues(new Uint8Array(9))].map(hexadecimal).join("")}`;

// `{url, client, group}` for an address of V2, else `undefined`.
export function v2Address(given, hosts) {
  const url = absolute(given);
  const ids = url && /^(wss?):$/.test(url.protocol) ? idsIn(url.pathname) : undefined;
  const isMeant = !hosts.length || hosts.includes(url?.host) || hosts.includes(url?.hostname);
  if (ids === undefined || !isMeant) return undefined;
  return { url, group: ids.group ?? DEFAULT_GROUP, client: ids.client ?? generatedId };
}

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

// The same place on the bridge; `path` where it is not the one that the page named.
export function onBridge({ url }, bridge, path = url.pathname) {
  const named = bridge && absolute(/^\w+:\/\//.test(bridge) ? bridge : `${url.protocol}//${bridge}`).href;
  const base = named || url.origin;
  return base.replace(/\/$/, "") + path + url.search;
}

export const v3Path = ({ group, client }) => `/v3/ws/group/${encodeId(group)}/client/${encodeId(client)}`;
