// One row of the log: a line that says what was said or heard, what it means where it was refused, and, once opened,
// the frame itself and its conversion. It never keeps what it does not show.

import { asItIs, conversion, detailList } from "./conversion.js";
import { element } from "./element.js";
import { explainNotice, explainRefusal } from "./explain.js";

// `entry` = {text, isSaid, protocol, summary, at}; `at` is a Date.
export function frameRow(entry) {
  const { isSaid, summary } = entry;
  const details = element("details", {}, element("summary", { tabindex: -1 }, ...line(entry)));
  details.addEventListener("toggle", () => details.childElementCount === 1 && fill(details, entry));
  const row = element("li", { class: `row ${isSaid ? "said" : "heard"}` }, details, explanationOf(summary));
  row.classList.toggle("presence-event", summary.isPresence);
  row.classList.toggle("refused", summary.refusal !== undefined);
  return row;
}

// What happened to the connection itself. `tone` is `good`, `bad` or `quiet`.
export function noteRow({ what, next, at, tone }) {
  const sentences = element("p", {}, element("b", {}, what), ` ${next}`);
  return element("li", { class: `row note ${tone}` }, time(at), sentences);
}

// Opens it at once. What it gives is settled when the conversion, too, stands there.
export function open(row, entry) {
  const details = row.querySelector("details");
  details.open = true;
  return fill(details, entry);
}

function line({ isSaid, summary, at }) {
  const { kind, from, to, preview } = summary;
  return [
    element("span", { class: "way" }, isSaid ? "↑ said" : "↓ heard"),
    element("span", { class: `kind ${kindClass(summary)}` }, kind),
    element("span", { class: "who" }, element("bdi", {}, from), ...(to ? [" → ", element("bdi", {}, to)] : [])),
    time(at),
    element("bdi", { class: "preview" }, preview || "(empty)"),
  ];
}

// The kind is whatever a client wrote: only known words become a class.
function kindClass({ kind, notice, refusal }) {
  if (refusal) return "refused";
  if (notice) return "notice";
  return ["msg", "cmd", "heartbeat", "presence"].includes(kind) ? kind : "plain";
}

function time(at) {
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0"));
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return element("time", { datetime: at.toISOString() }, `${parts.join(":")}.${milliseconds}`);
}

function explanationOf({ refusal, notice }) {
  if (!refusal && !notice) return null;
  const { what, next } = refusal ? explainRefusal(refusal.code, refusal.msg) : explainNotice(notice);
  return element(
    "div",
    { class: "explanation" },
    element("p", {}, element("b", {}, what)),
    refusal?.detail.length ? detailList(refusal.detail) : null,
    next ? element("p", {}, next) : null,
  );
}

function fill(details, { text, isSaid, protocol, summary }) {
  const columns = element("div", { class: "columns" }, asItIs(text, isSaid));
  details.append(columns);
  return summary.crosses ? addConversion(columns, text, isSaid, protocol) : undefined;
}

function addConversion(columns, text, isSaid, protocol) {
  const { shown, done } = conversion(text, isSaid, protocol);
  columns.append(shown);
  return done;
}
