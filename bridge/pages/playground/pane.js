// One client on the page: its form, its connection, its log and its composer, and what each tells the others. It never
// speaks to another pane: what they hear of each other comes through the bridge.

import { addressOf, isV3, problemOf } from "./address.js";
import { Client } from "./client.js";
import { cloneOf, element, ownId, part } from "./element.js";
import { explainClose } from "./explain.js";
import { frameComposer } from "./frame_composer.js";
import { Log } from "./log.js";
import { MessageComposer } from "./message_composer.js";
import { summaryOf } from "./summary.js";
import { Trips } from "./trips.js";

const STATES = { idle: "Not connected", connecting: "Connecting…", open: "Connected", closing: "Closing…" };
const PLACE = ["protocol", "group", "client", "api_key", "jwt", "x_account_id"];

export class Pane {
  element = cloneOf("pane");
  #form = part(this.element, "connection");
  #log = new Log(part(this.element, "log"));
  #client = new Client({ changed: (state, close) => this.#changed(state, close), heard: (text) => this.#heard(text) });
  #trips = new Trips();
  #composer;
  #lastSaid;
  #lastRefusal;

  // `place` = {protocol, group, client}; `removed(pane)` is called when it is to go.
  constructor(place, removed) {
    for (const [name, value] of Object.entries(place)) this.#form.elements[name].value = value;
    this.element.setAttribute("aria-labelledby", ownId(this.element.querySelector("h3")));
    part(this.element, "remove").addEventListener("click", () => removed(this));
    this.#form.addEventListener("input", () => this.#look());
    this.#form.elements.protocol.addEventListener("change", () => this.#compose());
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#compose();
    this.#look();
    this.#showState("idle");
  }

  get place() {
    return Object.fromEntries(PLACE.map((name) => [name, this.#form.elements[name].value.trim()]));
  }

  connect() {
    if (this.#look() === undefined) this.#client.connect(addressOf(this.place));
  }

  remove() {
    this.#client.abandon();
    this.element.remove();
  }

  focusClientId() {
    this.#form.elements.client.select();
  }

  focusHeading() {
    this.element.querySelector("h3").focus();
  }

  #submitted(event) {
    event.preventDefault();
    part(this.#form, "connect").focus();
    if (this.#client.state === "idle") this.connect();
    else this.#client.disconnect();
  }

  // Shows who this client is; why it cannot connect, if so.
  #look() {
    const { place } = this;
    const problem = problemOf(place);
    this.element.querySelector("h3").replaceChildren(badge(place), " ", element("bdi", {}, place.client || "no id"));
    part(this.element, "remove").setAttribute("aria-label", `Remove ${place.client}`);
    part(this.#form, "address").textContent = addressOf(place, { masked: true });
    part(this.#form, "problem").textContent = problem ?? "";
    part(this.#form, "problem").hidden = problem === undefined;
    return problem;
  }

  #compose() {
    const isModern = isV3(this.place.protocol);
    const say = (text) => this.#say(text);
    this.#composer = isModern ? new MessageComposer(say) : { element: frameComposer(say) };
    part(this.element, "composer").replaceChildren(this.#composer.element);
    this.element.classList.toggle("v3", isModern);
    this.element.classList.toggle("v2", !isModern);
    this.#log.hasPresence = isModern;
  }

  #say(text) {
    const { place } = this;
    if (!this.#client.say(text)) {
      this.#log.note({ what: "Not connected, so nothing was sent.", next: "Press Connect first." }, "bad");
      return;
    }
    const summary = summaryOf(text, true, place);
    if (isV3(place.protocol) && summary.kind === "heartbeat") this.#trips.begin();
    this.#lastSaid = text;
    this.#log.frame({ text, isSaid: true, isOwn: false, protocol: place.protocol, summary });
  }

  #heard(text) {
    const { place } = this;
    const isModern = isV3(place.protocol);
    const summary = summaryOf(text, false, place);
    const isOwn = isModern ? summary.from === place.client : text === this.#lastSaid;
    if (isModern && summary.kind === "heartbeat") this.#returned(summary);
    if (summary.refusal) this.#trips.forget();
    this.#lastRefusal = summary.refusal?.code;
    this.#log.frame({ text, isSaid: false, isOwn, protocol: place.protocol, summary });
  }

  #returned(summary) {
    const milliseconds = this.#trips.end();
    if (milliseconds === undefined) return;
    summary.preview = `round trip ${milliseconds.toFixed(1)} ms`;
    this.#composer.roundTrip = summary.preview;
  }

  #changed(state, close) {
    this.#showState(state, close);
    if (state === "open") this.#log.note({ what: "Connected.", next: "" }, "good");
    if (close === undefined) return;
    this.#trips.forget();
    const isExplained = close.reason !== "" && close.reason === this.#lastRefusal;
    const { what, next } = isExplained ? { what: "The reason is given above.", next: "" } : explainClose(close);
    this.#log.note({ what: `Closed (${close.code}).`, next: `${what} ${next}` }, isWanted(close) ? "quiet" : "bad");
  }

  #showState(state, close) {
    const shown = part(this.element, "state");
    const hasFailed = close !== undefined && !isWanted(close);
    shown.textContent = hasFailed ? `Closed (${close.code})` : STATES[state];
    shown.className = `state ${hasFailed ? "failed" : state}`;
    const button = part(this.#form, "connect");
    button.textContent = state === "idle" ? "Connect" : "Disconnect";
    button.classList.toggle("strong", state === "idle");
    this.#form.querySelectorAll("fieldset").forEach((fields) => {
      fields.disabled = state !== "idle";
    });
  }
}

function badge({ protocol }) {
  return element("span", { class: "badge" }, isV3(protocol) ? "V3" : "V2");
}

function isWanted({ code }) {
  return code === 1000 || code === 1005;
}
