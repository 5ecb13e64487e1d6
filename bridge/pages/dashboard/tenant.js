// One tenant on the page: its panels, and when each is fetched anew. What is live comes from outside, by `showState`;
// the records are fetched when the tenant has changed and every so often while somebody looks.

import { Announcer } from "./announcer.js";
import { Census } from "./census.js";
import { Confirmation } from "./confirmation.js";
import { Controls } from "./controls.js";
import { cloneOf, ownId, part } from "./element.js";
import { Ids } from "./ids.js";
import { IdsQuestion } from "./ids_question.js";
import { Ledger } from "./ledger.js";
import { Loader } from "./loader.js";
import { lossInWords, Overview } from "./overview.js";
import { Progress } from "./progress.js";
import { Record } from "./record.js";
import { refreshTimes } from "./time.js";

const AGAIN_MILLISECONDS = 15_000;

export class TenantView {
  element = cloneOf("tenant");
  #api;
  #state;
  #announcer = new Announcer(part(this.element, "said"));
  #overview = new Overview(this.#panel("overview"));
  #progress = new Progress(this.#panel("overview"));
  #controls = new Controls(
    this.#panel("controls"),
    (order, why) => this.#confirmation.open(order, why),
    (body) => this.#api.order(this.tenant, { method: "PUT", path: "guards", body }),
  );
  #census = new Census(this.#panel("census"), () => this.#loaders.census.load());
  #ids = new Ids(this.#panel("ids"), (order, why) => this.#idsQuestion.open(order, why));
  #ledger = new Ledger(this.#panel("ledger"));
  #record = new Record(this.#panel("record"));
  #confirmation;
  #idsQuestion;
  #loaders;
  #timer = setInterval(() => this.#again(), AGAIN_MILLISECONDS);
  #becomesVisible = () => this.#again();

  constructor(api, state) {
    this.#api = api;
    this.#confirmation = new Confirmation(part(this.element, "confirmation"), api, (...done) => this.#done(...done));
    this.#idsQuestion = new IdsQuestion(part(this.element, "ids-question"), api, (sentence) => this.#idsChanged(sentence));
    this.#loaders = this.#loadersOf(state.tenant);
    this.element.querySelector("h2").textContent = state.tenant;
    this.#name();
    document.addEventListener("visibilitychange", this.#becomesVisible);
    this.showState(state);
  }

  get tenant() {
    return this.#state.tenant;
  }

  showState(state) {
    const isChanged = state.version !== this.#state?.version || state.lost_at !== this.#state.lost_at;
    this.#state = state;
    this.#overview.showState(state);
    this.#progress.showState(state);
    this.#controls.showState(state);
    this.#confirmation.saw(state);
    this.#ids.showState(state);
    this.#idsQuestion.saw(state);
    if (isChanged) this.#changed();
  }

  showRole(role) {
    this.#controls.showRole(role);
    this.#ids.showRole(role);
  }

  focusHeading() {
    this.element.querySelector("h2").focus();
  }

  remove() {
    clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this.#becomesVisible);
    for (const loader of Object.values(this.#loaders)) loader.stop();
    this.#confirmation.close();
    this.#idsQuestion.close();
    this.element.remove();
  }

  #panel(name) {
    return part(this.element, name);
  }

  // Every panel is a region that its heading names.
  #name() {
    for (const panel of this.element.querySelectorAll("section.panel")) {
      panel.setAttribute("aria-labelledby", ownId(panel.querySelector("h3")));
    }
  }

  #loadersOf(tenant) {
    const asking = (record, query = () => "") => (signal) => this.#api.about(tenant, record, signal, query());
    const loader = (panel, ask, show) => new Loader(ask, show, part(this.#panel(panel), "trouble"));
    const whom = () => this.#census.query;
    return {
      history: loader("overview", dated(asking("history")), (history) => this.#progress.showHistory(history)),
      guards: loader("controls", asking("guards"), (guards) => this.#controls.showGuards(guards)),
      census: loader("census", asking("census", whom), (census) => this.#census.show(census)),
      ledger: loader("ledger", asking("ledger"), (ledger) => this.#ledger.show(ledger)),
      changes: loader("record", asking("changes"), (changes) => this.#showChanges(changes)),
    };
  }

  #showChanges(changes) {
    this.#record.show(changes);
    this.#progress.showChanges(changes);
  }

  #changed() {
    const loss = lossInWords(this.#state.lost_at);
    part(this.element, "lost").replaceChildren(...loss);
    part(this.element, "lost").hidden = loss.length === 0;
    this.#load();
  }

  #again() {
    if (document.visibilityState !== "visible") return;
    refreshTimes(this.element);
    this.#progress.draw();
    const { history, ...others } = this.#loaders;
    if (this.#progress.isBehind) history.load(); // it is long, and grows once a minute
    for (const loader of Object.values(others)) loader.load();
  }

  #load() {
    for (const loader of Object.values(this.#loaders)) loader.load();
  }

  #done(state, sentence) {
    this.#announcer.say(sentence);
    this.showState(state);
    this.#controls.settle();
  }

  // The new state comes by itself, as after a change by somebody else.
  #idsChanged(sentence) {
    this.#announcer.say(sentence);
    this.#ids.settle();
  }
}

// An answer that says when it was asked for.
function dated(ask) {
  return async (signal) => {
    const fetchedAt = Date.now() / 1000;
    return { ...(await ask(signal)), fetchedAt };
  };
}
