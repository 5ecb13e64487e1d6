// What an operator sees once signed in: the list of tenants, and the one that the address names. It hands on what is
// live, and never asks for it by itself.

import { TenantList } from "./tenant_list.js";
import { TenantView } from "./tenant.js";

const NAME = "Aether Bridge";
const wide = window.matchMedia("(min-width: 52rem)");

export class Workspace {
  #api;
  #list = new TenantList(document.getElementById("tenants"));
  #place = document.getElementById("chosen");
  #states = new Map();
  #view;
  #moves = new AbortController();

  constructor(api) {
    this.#api = api;
    const { signal } = this.#moves;
    window.addEventListener("hashchange", () => this.#choose({ isAsked: true }), { signal });
    wide.addEventListener("change", () => this.#choose(), { signal });
  }

  show(states) {
    this.#states = new Map(states.map((state) => [state.tenant, state]));
    this.#list.show(states);
    this.#choose();
    const state = this.#states.get(this.#view?.tenant);
    if (state) this.#view.showState(state);
  }

  focus() {
    document.getElementById("tenants-heading").focus();
  }

  remove() {
    this.#moves.abort();
    this.#list.show([]);
    this.#leave();
    document.title = NAME;
  }

  // Where there is room, one tenant is always shown.
  #choose({ isAsked = false } = {}) {
    const asked = window.location.hash.slice(1);
    const first = wide.matches ? this.#states.keys().next().value : undefined;
    const tenant = this.#states.has(asked) ? asked : first;
    const before = this.#view?.tenant;
    if (tenant !== before) this.#go(tenant);
    if (!isAsked) return;
    if (asked && tenant === asked) this.#view.focusHeading();
    else if (tenant === undefined) this.#list.focus(before);
  }

  #go(tenant) {
    this.#leave();
    if (tenant !== undefined) {
      this.#view = new TenantView(this.#api, this.#states.get(tenant));
      this.#place.replaceChildren(this.#view.element);
      window.scrollTo(0, 0);
    }
    this.#list.mark(tenant);
    document.body.classList.toggle("has-chosen", tenant !== undefined);
    document.title = tenant === undefined ? NAME : `${tenant} · ${NAME}`;
  }

  #leave() {
    this.#view?.remove();
    this.#view = undefined;
  }
}
