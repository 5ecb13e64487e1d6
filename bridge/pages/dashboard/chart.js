// One chart of lines over time, with a key that shows the numbers under the pointer and, as the pointer leaves, the
// present ones. Its colours are those of the page, light or dark. It never fetches, and never decides what is drawn.

import { element } from "./element.js";
import { changeMarks } from "./marks.js";
import { onAxis } from "./time.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { number } from "./words.js";

const HEIGHT = 190;
const TOGETHER = "course";
// Nobody is half connected: an axis of numbers counts in whole ones.
const STEPS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) => [power, 2 * power, 5 * power]);
// And an axis of time in whole minutes.
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 10_080, 20_160, 43_200, 86_400];
const TIME_STEPS = MINUTES.map((minutes) => minutes * 60);
const SHORTEST_SECONDS = 300;
const DASHES = { socketio: [5, 4] };
const scheme = window.matchMedia("(prefers-color-scheme: dark)");

export class Chart {
  element = element("div", { class: "drawing", role: "img" });
  key = element("ul", { class: "key" });
  #numbers;
  #drawn;
  #marks = [];

  // `lines` = {v2: "V2", …}: the name of a line is also that of its colour.
  constructor(lines) {
    this.#numbers = Object.entries(lines).map(([name, words]) => this.#keyOf(name, words));
    this.#drawn = new uPlot(this.#options(Object.keys(lines)), [[]], this.element);
    new ResizeObserver(() => this.#fit()).observe(this.element);
    scheme.addEventListener("change", () => this.#drawn.redraw(false));
  }

  // `values` = [[seconds…], [numbers of the first line…], …]; `marks` = [{at, words}]; `sentence` is it in words.
  show(values, marks, sentence) {
    this.#marks = marks;
    this.element.setAttribute("aria-label", sentence);
    this.#drawn.setData(values);
    this.#showNumbers();
  }

  #keyOf(name, words) {
    const shown = element("b");
    this.key.append(element("li", { class: name }, element("i"), `${words} `, shown));
    return shown;
  }

  #fit() {
    const width = this.element.clientWidth;
    if (width > 0 && width !== this.#drawn.width) this.#drawn.setSize({ width, height: HEIGHT });
  }

  #showNumbers() {
    const [, ...lines] = this.#drawn.data;
    const place = this.#drawn.cursor.idx ?? undefined;
    this.#numbers.forEach((shown, line) => {
      const value = place === undefined ? lines[line]?.findLast((known) => known !== null) : lines[line]?.[place];
      shown.textContent = typeof value === "number" ? number(value) : "–";
    });
  }

  #options(names) {
    return {
      width: 400,
      height: HEIGHT,
      padding: [16, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: TOGETHER } },
      scales: {
        x: { range: (_chart, first, last) => [Math.min(first, last - SHORTEST_SECONDS), last] },
        y: { range: (_chart, _least, most) => [0, Math.max(most * 1.08, 4)] },
      },
      axes: [timeAxis(), numberAxis()],
      series: [{}, ...names.map(lineOf)],
      hooks: { draw: [(chart) => changeMarks(chart, this.#marks, colour)], setCursor: [() => this.#showNumbers()] },
    };
  }
}

function lineOf(name) {
  return {
    stroke: () => colour(`${name}-bar`),
    fill: () => (name in DASHES ? undefined : `${colour(`${name}-bar`)}14`),
    dash: DASHES[name],
    width: 2,
    points: { show: (_chart, _line, first, last) => last - first < 3, size: 5 },
  };
}

function timeAxis() {
  const values = (_chart, times, _axis, _space, secondsApart) => times.map((at) => onAxis(at, secondsApart));
  return { ...axis(), values, space: 64, size: 28, incrs: TIME_STEPS };
}

function numberAxis() {
  return { ...axis(), values: (_chart, values) => values.map(number), size: 46, incrs: STEPS };
}

function axis() {
  const line = { stroke: () => colour("line"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  return { stroke: () => colour("quiet"), font, grid: line, ticks: { show: false } };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
