// The way of a tenant from V2 to V3, drawn: connections and messages over time, and the same as a table. It keeps the
// present moment going between what it is given, and never fetches.

import { Chart } from "./chart.js";
import { courseOf, isBehind, NO_HISTORY, RANGES } from "./course.js";
import { element, part } from "./element.js";
import { Pulse } from "./pulse.js";
import { Table } from "./table.js";
import { toTheMinute } from "./time.js";
import { isSameStanding, number, PROTOCOLS, standing } from "./words.js";

const MESSAGES = { v2: PROTOCOLS.v2, v3: PROTOCOLS.v3 };
const MOST_LINES = 25;

export class Progress {
  #root;
  #connections = new Chart(PROTOCOLS);
  #messages = new Chart(MESSAGES);
  #table = new Table("Connections and messages per minute over time", columns());
  #pulse = new Pulse();
  #history = NO_HISTORY;
  #changes = [];
  #state;

  constructor(root) {
    this.#root = root;
    part(root, "connections").append(this.#connections.key, this.#connections.element);
    part(root, "messages").append(this.#messages.key, this.#messages.element);
    part(root, "table").append(this.#table.element);
    part(root, "table").addEventListener("toggle", () => this.#tabulate());
    part(root, "range").addEventListener("change", () => {
      this.draw();
      this.#tabulate();
    });
  }

  showState(state) {
    this.#state = state;
    this.#pulse.note(state.messages, Date.now() / 1000);
    this.draw();
  }

  // `history` is the bridge's, with `fetchedAt` in seconds.
  showHistory(history) {
    this.#history = history;
    this.draw();
    this.#tabulate();
  }

  get isBehind() {
    return isBehind(this.#history, Date.now() / 1000);
  }

  showChanges(changes) {
    this.#changes = changes.filter(({ kind }) => !["ids", "guards"].includes(kind)).reverse();
    this.draw();
  }

  draw() {
    const range = this.#range;
    const course = courseOf(this.#history, range, this.#present());
    const isEmpty = course.every(({ connections, messages }) => isNothing(connections) && isNothing(messages));
    part(this.#root, "drawn").hidden = isEmpty;
    part(this.#root, "empty").hidden = !isEmpty;
    if (!isEmpty) this.#drawCourse(course, RANGES[range].words);
  }

  #drawCourse(course, words) {
    const marks = this.#changes.map(markOf);
    const show = (chart, what, lines) => {
      chart.show(valuesOf(course, what, lines), marks, inWords(course, what, lines, words));
    };
    show(this.#connections, "connections", PROTOCOLS);
    show(this.#messages, "messages", MESSAGES);
  }

  // Not with every second: a table that somebody reads stands still.
  #tabulate() {
    if (!part(this.#root, "table").open) return;
    const course = courseOf(this.#history, this.#range, this.#present());
    this.#table.show(some(course.filter(({ connections }) => connections)).reverse());
  }

  get #range() {
    return part(this.#root, "range").querySelector(":checked").value;
  }

  #present() {
    const now = Date.now() / 1000;
    return { now, connections: this.#state?.connections, messages: this.#pulse.perMinute(now) };
  }
}

function columns() {
  const value = (what, side) => (point) => (point[what] === undefined ? "–" : number(point[what][side]));
  return [
    ["When", ({ at }) => toTheMinute(at * 1000), "unbroken"],
    ["V2", value("connections", "v2"), "number"],
    ["V3", value("connections", "v3"), "number"],
    ["Socket.IO", value("connections", "socketio"), "number"],
    ["V2 messages", value("messages", "v2"), "number"],
    ["V3 messages", value("messages", "v3"), "number"],
  ];
}

function markOf(change) {
  const { from, to, share, from_share, v2_routing } = change;
  const after = { stage: to, share };
  const isMove = !isSameStanding({ stage: from, share: from_share }, after);
  return { at: Date.parse(change.when) / 1000, words: isMove ? standing(after) : v2_routing };
}

function isNothing(numbers) {
  return Object.values(numbers ?? {}).every((value) => value === 0);
}

function valuesOf(course, what, lines) {
  const values = Object.keys(lines).map((line) => course.map((point) => point[what]?.[line] ?? null));
  return [course.map(({ at }) => at), ...values];
}

function inWords(course, what, lines, range) {
  const known = course.map((point) => point[what]).filter((numbers) => numbers !== undefined);
  if (known.length === 0) return `Of ${what} nothing is on record.`;
  const way = ([line, words]) => `${words} from ${number(known[0][line])} to ${number(known.at(-1)[line])}`;
  const title = what === "messages" ? "Messages per minute" : "Connections";
  return `${title}, ${range}: ${Object.entries(lines).map(way).join(", ")}.`;
}

// As many as can be read, evenly spread, the last one always.
function some(points) {
  const every = Math.ceil(points.length / MOST_LINES);
  return points.filter((_point, place) => (points.length - 1 - place) % every === 0);
}
