// What an operator may order: to move a tenant, to go back towards legacy, or to change its id map. Pure: each is what the
// API is to be asked, and how it is called. Nothing here carries it out.

import { counted, isSameStanding, ROUTINGS, standing } from "./words.js";

// `wanted` = {stage, share, v2_routing}; what is left out stays.
export function move(tenant, wanted) {
  return {
    tenant,
    question: { method: "PUT", path: "stage", body: wanted },
    request: (how) => ({ method: "PUT", path: "stage", body: { ...wanted, ...how } }),
    words: ({ from, to }) => moveInWords(tenant, from, to),
    done: ({ from, to }) => doneInWords(tenant, from, to),
  };
}

// No guard forbids a step back, and no name has to be typed: there is nothing to force or to confirm.
export function rollBack(tenant) {
  return {
    tenant,
    question: { method: "POST", path: "rollback", body: {} },
    request: ({ why, version }) => ({ method: "POST", path: "rollback", body: { why, version } }),
    words: ({ to }) => `Roll ${tenant} back to ${standing(to)}`,
    done: ({ to }) => `${tenant} is rolled back to ${standing(to)}.`,
  };
}

export function addIds(tenant, ids) {
  const words = ({ added }) => `Add ${counted(added, "id")}`;
  return idsOrder(tenant, "What would be added to", words, { method: "PUT", path: "ids", body: { ids } });
}

// The ids are the whole map: what is not among them goes.
export function replaceIds(tenant, ids) {
  const words = ({ removed }) => (removed > 0 ? `Replace it: ${counted(removed, "id goes", "ids go")}` : "Replace it");
  return idsOrder(tenant, "What would become of", words, { method: "PUT", path: "ids", body: { ids } }, { replace: true });
}

export function takeBackIds(tenant) {
  return idsOrder(tenant, "Taking back the last change of", () => "Take it back", { method: "POST", path: "ids/undo", body: {} });
}

function idsOrder(tenant, asks, words, request, always = {}) {
  const query = (how) => `?${new URLSearchParams({ ...always, ...how })}`;
  return { tenant, asks: `${asks} the id map of ${tenant}`, words, request, query };
}

function moveInWords(tenant, from, to) {
  const isMove = !isSameStanding(from, to);
  return isMove ? `Move ${tenant} to ${standing(to)}` : `Route the V2 of ${tenant} by ${to.v2_routing}`;
}

function doneInWords(tenant, from, to) {
  if (isSameStanding(from, to)) return `${tenant}: ${ROUTINGS[to.v2_routing]}.`;
  return `${tenant} is moved to ${standing(to)}. Open connections follow within two seconds.`;
}
