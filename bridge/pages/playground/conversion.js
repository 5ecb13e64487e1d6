// Shows one frame as it is, and beside it the same in the other side's words. It is made only when somebody looks at
// it, and never converts by itself.

import { isV3 } from "./address.js";
import { convert } from "./convert.js";
import { element } from "./element.js";
import { pretty, write } from "./json.js";

const OUTCOMES = {
  exact: "exact: every word has its place",
  stashed: "stashed: what has no place in V3 is kept in payload._v2",
  suppressed: "suppressed: the other side has no word for it",
};
const NOT_HEARD = {
  v2: "No V3 client hears this: a V2 heartbeat only keeps its sender present.",
  v3: "No V2 client hears this: presence, heartbeats and echoes stay within V3.",
};
const PROBLEMS = {
  unreachable: "The bridge cannot be asked now.",
  too_long: "It is too long to be shown here, and crosses all the same.",
  unreadable: "The bridge’s answer cannot be read.",
};
const REFUSED = "Nobody hears this: V3 refuses it.";
const HINTS = {
  said: {
    v2: "The bridge adds version, from_id, group_id and sent_at.",
    v3: "The bridge adds client_id, group_id and sent_at.",
  },
  heard: {
    v2: "V3 clients are also told who spoke, where and when.",
    v3: "If a V2 client said it, the other V2 clients heard its exact text instead.",
  },
};

export function asItIs(text, isSaid) {
  return column(isSaid ? "Said" : "Heard", element("pre", {}, pretty(text)));
}

// {shown, done}: the element, and what is settled when the bridge has answered.
export function conversion(text, isSaid, protocol) {
  const own = isV3(protocol) ? "v3" : "v2";
  const other = own === "v3" ? "V2" : "V3";
  const asking = element("p", { class: "hint" }, "Asking the bridge…");
  const shown = column(isSaid ? `What ${other} hears` : `The same in ${other} words`, asking);
  const done = convert(text, isSaid, protocol).then((answer) => asking.replaceWith(...answered(answer, isSaid, own)));
  return { shown, done };
}

export function detailList(detail) {
  return element("ul", { class: "detail" }, ...(detail ?? []).map(problemItem));
}

function answered({ content, outcome, problem, detail }, isSaid, own) {
  if (problem !== undefined) return [element("p", {}, PROBLEMS[problem] ?? REFUSED), detailList(detail)];
  const chip = element("p", { class: `outcome ${outcome}` }, OUTCOMES[outcome]);
  if (content === null) return [chip, element("p", {}, NOT_HEARD[own])];
  return [chip, element("pre", {}, write(content, 2) ?? ""), hint(content, isSaid, own)];
}

function hint(content, isSaid, own) {
  const isComplete = own === "v2" && content.from_id !== undefined;
  return element("p", { class: "hint" }, isComplete ? "" : HINTS[isSaid ? "said" : "heard"][own]);
}

function problemItem({ field, problem }) {
  return element("li", {}, field ? element("code", {}, field) : null, ` ${problem}`);
}

function column(heading, ...children) {
  return element("section", { class: "words" }, element("h5", {}, heading), ...children);
}
