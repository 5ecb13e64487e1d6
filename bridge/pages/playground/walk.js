// Arrow keys, Home and End move among the rows of a list, which is one stop for the Tab key. It knows nothing of what
// the rows say.

const STEPS = {
  ArrowDown: (index) => index + 1,
  ArrowUp: (index) => index - 1,
  Home: () => 0,
  End: (_index, last) => last,
};

export function walkWithArrows(list) {
  list.addEventListener("keydown", (event) => {
    const rows = [...list.querySelectorAll("summary")].filter((summary) => summary.checkVisibility());
    const index = rows.indexOf(event.target);
    if (index < 0 || !Object.hasOwn(STEPS, event.key)) return;
    event.preventDefault();
    rows.at(bounded(STEPS[event.key](index, rows.length - 1), rows.length)).focus();
  });
  list.addEventListener("focusin", ({ target }) => {
    if (target.localName !== "summary") return;
    list.querySelectorAll("summary[tabindex='0']").forEach((summary) => summary.setAttribute("tabindex", "-1"));
    target.setAttribute("tabindex", "0");
  });
}

function bounded(index, length) {
  return Math.min(Math.max(index, 0), length - 1);
}
