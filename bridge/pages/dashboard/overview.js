// Where a tenant stands at this moment: its stage on the way from V2 to V3, its dates, and who is connected. It shows a
// state and never asks for one.

import { Bar } from "./bar.js";
import { element, part } from "./element.js";
import { ago, dateInWords } from "./time.js";
import { number, progressInWords, ROUTINGS, STAGES, standing } from "./words.js";

export class Overview {
  #root;
  #bar = new Bar("v2", "socketio", "v3");

  constructor(root) {
    this.#root = root;
    part(root, "bar").append(this.#bar.element);
  }

  showState(state) {
    const { v2, v3, socketio } = state.connections;
    this.#bar.show(v2, socketio, v3);
    this.#write({ v2, v3, socketio, progress: progressInWords(state.connections) });
    part(this.#root, "stages").replaceChildren(...STAGES.map((stage) => step(stage, state)));
    part(this.#root, "facts").replaceChildren(...facts(state).map(fact));
  }

  #write(values) {
    for (const [name, value] of Object.entries(values)) {
      part(this.#root, name).textContent = typeof value === "number" ? number(value) : value;
    }
  }
}

// The notice that a tenant's records are lost; empty where they are not.
export function lossInWords(lostAt) {
  if (lostAt === null) return [];
  return ["Redis came back empty ", ago(lostAt), ": census, ledger, history and record from before are gone."];
}

function step(stage, state) {
  const isHere = stage === state.stage;
  const words = isHere ? standing(state) : stage;
  return element("li", { class: stage, "aria-current": isHere ? "step" : undefined }, words);
}

function facts({ v2_routing: routing, deprecated, sunset, ids, messages }) {
  return [
    ["V2 routing", `${routing}: ${ROUTINGS[routing]}`],
    ["V2 deprecated", deprecated ? dateInWords(deprecated) : "no date"],
    ["V2 sunset", sunset ? dateInWords(sunset) : "no date"],
    ["Said since the start", `V2 ${number(messages.v2)}, V3 ${number(messages.v3)}`],
    ["Ids in the map", number(ids)],
  ];
}

function fact([name, value]) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}
