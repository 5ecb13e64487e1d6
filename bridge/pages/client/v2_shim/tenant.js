// What a page may be told wrong of its tenant: its dialect. The bridge knows it; what stands in the script's line goes
// first, and is held against it.

import { Dialect } from "./words.js";

let isWarned = false;

// The dialect by these rules of the bridge; `undefined` where the page goes on with what it has.
export function dialectFrom(rules, written) {
  if (rules === null || typeof rules !== "object" || isSameDialect(rules, written)) return undefined;
  if (written === undefined) return new Dialect(rules);
  if (!isWarned) console.warn("v2-shim.js: data-dialect is not the tenant's dialect; without it the bridge's is taken");
  isWarned = true;
  return undefined;
}

function isSameDialect(rules, written) {
  const one = (given) =>
    Object.entries(given).map(([word, { cmd, field, speak = true }]) => JSON.stringify([word, cmd, field, speak]));
  return written !== undefined && one(rules).sort().join() === one(written).sort().join();
}
