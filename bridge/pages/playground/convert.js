// Asks the bridge what a frame is in the other side's words. It never converts by itself: what the bridge says is true.

import { isV3 } from "./address.js";
import { read } from "./json.js";

const MAX_KEPT = 200;
const JSON_TYPE = { "Content-Type": "application/json" };
const kept = new Map();

// {content, outcome} or {problem, detail}. What was asked before is answered from memory.
export async function convert(text, isSaid, protocol) {
  const direction = isV3(protocol) ? "v3-to-v2" : "v2-to-v3";
  const body = JSON.stringify({ direction, text, heard: !isSaid });
  const known = kept.get(body);
  if (known) return known;
  const answer = await ask(body);
  if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value);
  if (answer.problem !== "unreachable") kept.set(body, answer);
  return answer;
}

async function ask(body) {
  try {
    const response = await fetch("/page/convert", { method: "POST", headers: JSON_TYPE, body });
    return read(await response.text()) ?? { problem: "unreadable", detail: [] };
  } catch {
    return { problem: "unreachable", detail: [] };
  }
}
