// A tenant's guards as a list: which hold, and which do not. It never decides what a guard that does not hold means.

import { element } from "./element.js";

export function guardItems(guards) {
  return guards.map(({ name, holds, msg }) =>
    element(
      "li",
      { class: holds ? "holds" : "fails", "data-guard": name },
      element("b", {}, holds ? "Holds" : "Fails"),
      ` ${msg}`,
    ),
  );
}

export function failing(guards) {
  return guards.filter(({ holds }) => !holds);
}
