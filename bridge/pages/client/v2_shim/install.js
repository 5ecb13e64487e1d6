// Puts the look-alike in the place of `WebSocket`, as the script's line says. It must never touch an address that is
// not V2's: that gets the browser's own socket.

import { idsIn, v2Address } from "./address.js";
import { hear } from "./downgrade.js";
import { Interpreter } from "./interpreter.js";
import { isText, readJson, writeJson } from "./json.js";
import { encodeId, Names } from "./names.js";
import { NativeWebSocket, STATES, V2Socket } from "./socket.js";
import { upgradeText } from "./upgrade.js";
import { Dialect } from "./words.js";

function shimmed(options) {
  const isOurs = new WeakSet();
  function WebSocket(url, protocols) {
    if (new.target === undefined) throw new TypeError("Please use the 'new' operator");
    const address = v2Address(url, options.hosts);
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
  const hasInstance = function (it) {
    return this === WebSocket ? it instanceof NativeWebSocket : Function.prototype[Symbol.hasInstance].call(this, it);
  };
  WebSocket.prototype = Object.create(NativeWebSocket.prototype, membersFor(isOurs));
  Object.defineProperty(WebSocket.prototype, "constructor", { value: WebSocket, writable: true, configurable: true });
  Object.defineProperties(WebSocket, Object.fromEntries(constants));
  Object.defineProperty(WebSocket, Symbol.hasInstance, { value: hasInstance });
  return WebSocket;
}

// A class that extends `WebSocket` gets members that know whose object they are called on.
function membersFor(isOurs) {
  const { constructor: _constructor, ...ours } = Object.getOwnPropertyDescriptors(V2Socket.prototype);
  const natives = Object.getOwnPropertyDescriptors(NativeWebSocket.prototype);
  const choosing = (own, other) =>
    own && function (...given) {
      return (isOurs.has(this) ? own : other).apply(this, given);
    };
  return Object.fromEntries(Object.entries(ours).map(([name, own]) => {
    const { get, set, value } = natives[name];
    const isMethod = own.value !== undefined;
    const method = { value: choosing(own.value, value), writable: true };
    const attribute = { get: choosing(own.get, get), set: choosing(own.set, set) };
    return [name, { ...(isMethod ? method : attribute), enumerable: true, configurable: true }];
  }));
}

function written() {
  const attributes = globalThis.document?.currentScript?.dataset
    ?? globalThis.document?.querySelector('script[src*="v2-shim.js"]')?.dataset;
  return { ...attributes, ...globalThis.aetherV2Shim };
}

function optionsFrom({ bridge, dialect, ids, hosts = "", heartbeatSeconds = 45, maxMessageBytes = 65_536 }) {
  return {
    bridge,
    dialect: new Dialect(fromJson(dialect)),
    ids: fromJson(ids),
    hosts: [hosts].flat().join(" ").split(/[\s,]+/).filter(Boolean),
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

function install() {
  globalThis.AetherV2Shim = Object.freeze({
    ...{ NativeWebSocket, Interpreter, Names, Dialect, readJson, writeJson, upgradeText, hear, idsIn, encodeId },
  });
  if (NativeWebSocket !== undefined) globalThis.WebSocket = shimmed(readOptions());
}

if (globalThis.AetherV2Shim === undefined) install();
