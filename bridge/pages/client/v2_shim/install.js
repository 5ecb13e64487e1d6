// Puts the look-alike in the place of `WebSocket`, as the script's line says. It must never touch an address that is
// not V2's: that gets the browser's own socket.

import { hostsOf, idsIn, ownHosts, v2Address, withScheme } from "./address.js";
import { hear } from "./downgrade.js";
import { Interpreter } from "./interpreter.js";
import { isText, readJson, readMessage, writeJson } from "./json.js";
import { encodeId, Names } from "./names.js";
import { NativeWebSocket, STATES, V2Socket } from "./socket.js";
import { upgradeText } from "./upgrade.js";
import { Dialect } from "./words.js";

function shimmed(options) {
  const isOurs = new WeakSet();
  function WebSocket(url, protocols) {
    if (new.target === undefined) throw new TypeError("Please use the 'new' operator");
    const address = v2Address(url, options.isOurs);
    if (address === undefined) return nativeSocket(arguments, new.target === WebSocket ? NativeWebSocket : new.target);
    const socket = Object.setPrototypeOf(new V2Socket(options, address, protocols), new.target.prototype);
    isOurs.add(socket);
    return socket;
  }
  return furnished(WebSocket, isOurs);
}

const nativeSocket = (given, target) => Reflect.construct(NativeWebSocket, given, target);

// What is asked of the class itself: its constants, its members, and whether something is one of it.
function furnished(WebSocket, isOurs) {
  const constants = Object.entries(STATES).map(([name, value]) => [name, { value, enumerable: true }]);
  const isNative = (it) => typeof NativeWebSocket.prototype === "object" && it instanceof NativeWebSocket;
  const hasInstance = function (it) {
    if (this !== WebSocket) return Function.prototype[Symbol.hasInstance].call(this, it);
    return isOurs.has(it) || it?.constructor === WebSocket || isNative(it);
  };
  const isWhole = NativeWebSocket.prototype instanceof EventTarget;
  WebSocket.prototype = Object.create(isWhole ? NativeWebSocket.prototype : EventTarget.prototype, membersFor(isOurs));
  Object.defineProperty(WebSocket.prototype, "constructor", { value: WebSocket, writable: true, configurable: true });
  Object.defineProperties(WebSocket, Object.fromEntries(constants));
  Object.defineProperty(WebSocket, Symbol.hasInstance, { value: hasInstance });
  return WebSocket;
}

// A class that extends `WebSocket` gets members that know whose object they are called on.
function membersFor(isOurs) {
  const { constructor: _constructor, ...ours } = Object.getOwnPropertyDescriptors(V2Socket.prototype);
  const choosing = (own, other) =>
    own && function (...given) {
      return (isOurs.has(this) ? own : other).apply(this, given);
    };
  return Object.fromEntries(Object.entries(ours).map(([name, own]) => {
    const { get, set, value } = nativeMember(name);
    const isMethod = own.value !== undefined;
    const method = { value: choosing(own.value, value), writable: true };
    const attribute = { get: choosing(own.get, get), set: choosing(own.set, set) };
    return [name, { ...(isMethod ? method : attribute), enumerable: true, configurable: true }];
  }));
}

// Whoever wrapped `WebSocket` before may have left its members further up.
function nativeMember(name) {
  let holder = NativeWebSocket.prototype;
  while (holder && !Object.hasOwn(holder, name)) holder = Object.getPrototypeOf(holder);
  return holder ? Object.getOwnPropertyDescriptor(holder, name) : {};
}

function written() {
  const script = globalThis.document?.currentScript ?? globalThis.document?.querySelector('script[src*="v2-shim.js"]');
  return { script: script?.src, ...script?.dataset, ...globalThis.aetherV2Shim };
}

function optionsFrom({ script, bridge, dialect, ids, hosts = "", heartbeatSeconds = 45, maxMessageBytes = 65_536 }) {
  const rules = dialect && fromJson(dialect);
  const named = [hosts].flat().join(" ").split(/[\s,]+/).filter(Boolean);
  const usual = hostsOf(globalThis.location?.href, script, bridge && withScheme(bridge, "wss:"));
  new Dialect(rules); // a mistake in it is thrown here
  return {
    bridge,
    dialect: rules,
    ids: fromJson(ids),
    isOurs: ownHosts(named.length ? named : usual),
    heartbeatSeconds: Number(heartbeatSeconds),
    maxMessageBytes: Number(maxMessageBytes),
  };
}

const fromJson = (value) => (isText(value) && value ? JSON.parse(value) : value || {});

// A page whose line is wrong is told so on the console, and served without what cannot be read.
function readOptions() {
  const all = written();
  try {
    return optionsFrom(all);
  } catch (error) {
    console.error(`v2-shim.js: ${error.message}; going on without the dialect and the id map`);
    return optionsFrom({ ...all, dialect: undefined, ids: undefined });
  }
}

// All of it, or nothing: what was put in the place of `WebSocket` before may not let go of it.
function install() {
  const tools = { NativeWebSocket, Interpreter, Names, Dialect, readJson, readMessage, writeJson, upgradeText, hear };
  try {
    if (NativeWebSocket !== undefined) replaceWebSocket(shimmed(readOptions()));
    globalThis.AetherV2Shim = Object.freeze({ ...tools, idsIn, encodeId });
  } catch (error) {
    console.error(`v2-shim.js: this page goes on in V2, since WebSocket cannot be replaced (${error.message}).`
      + " Put the script's line before all others.");
  }
}

function replaceWebSocket(WebSocket) {
  const { enumerable = false } = Object.getOwnPropertyDescriptor(globalThis, "WebSocket") ?? {};
  const replacement = { value: WebSocket, writable: true, enumerable, configurable: true };
  const isReplaced = Reflect.defineProperty(globalThis, "WebSocket", replacement)
    || Reflect.set(globalThis, "WebSocket", WebSocket);
  if (!isReplaced || globalThis.WebSocket !== WebSocket) throw new Error("it is fixed");
}

if (globalThis.AetherV2Shim === undefined) install();
