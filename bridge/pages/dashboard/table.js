// A table of records: at most so many rows, and how many there are besides. A table that is too wide or too high
// scrolls in a region of its own, which the keyboard reaches. It must never sort, filter or change what it shows.

import { element } from "./element.js";
import { counted } from "./words.js";

const MOST_ROWS = 200;

export class Table {
  element = element("div", { class: "records" });
  #columns;
  #rows = element("tbody");
  #more = element("p", { class: "hint" });

  // `columns` = [[heading, cell(record), class]]; the first one names its row.
  constructor(caption, columns) {
    this.#columns = columns;
    const headings = columns.map(([heading, , kind]) => element("th", { scope: "col", class: kind }, heading));
    const head = element("thead", {}, element("tr", {}, ...headings));
    const table = element("table", {}, element("caption", {}, caption), head, this.#rows);
    const scroller = element("div", { class: "scroller", role: "group", "aria-label": caption, tabindex: 0 }, table);
    this.element.append(scroller, this.#more);
  }

  // `total` counts also what is not among the records.
  show(records, total = records.length) {
    const shown = records.slice(0, MOST_ROWS);
    this.#rows.replaceChildren(...shown.map((record) => this.#row(record)));
    this.element.hidden = shown.length === 0;
    const more = total - shown.length;
    this.#more.textContent = more > 0 ? `and ${counted(more, "more", "more")}` : "";
  }

  #row(record) {
    const cells = this.#columns.map(([, cell, kind], place) => {
      const attributes = place === 0 ? { scope: "row", class: kind } : { class: kind };
      return element(place === 0 ? "th" : "td", attributes, ...[cell(record)].flat());
    });
    return element("tr", {}, ...cells);
  }
}
