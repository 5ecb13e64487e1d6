// What an operator sees once signed in: the list of tenants, and the one that the address names. It hands on what is
// live, and never asks for it by itself.

import { part } from "./element.js";
import { KeysView } from "./keys.js";
import { mayManage, roleInWords } from "./roles.js";
import { TenantList } from "./tenant_list.js";
import { TenantView } from "./tenant.js";

const NAME = "Aether Bridge";
const KEYS = "/keys"; // no tenant is called so
const wide = window.matchMedia("(min-width: 52rem)");

export class Workspace {
  #api;
  #list = new TenantList(document.getElementById("tenants"));
  #place = document.getElementById("chosen");
  #states = new Map();
  #view;
  #me;
  #moves = new AbortController();

  constructor(api) {
    this.#api = api;
    const { signal } = this.#moves;
    window.addEventListener("hashchange", () => this.#choose({ isAsked: true }), { signal });
    wide.addEventListener("change", () => this.#choose(), { signal });
    this.#meet();
  }

  // What the key may do. Where it cannot be asked, the events say what the matter is.
  async #meet() {
    const me = await this.#api.me().catch(() => undefined);
    if (me === undefined || this.#moves.signal.aborted) return;
    this.#me = me;
    const nav = document.getElementById("tenants");
    part(nav, "manage").hidden = !mayManage(me.role);
    part(nav, "role").textContent = roleInWords(me);
    this.#view?.showRole?.(me.role);
    this.#choose();
  }

  show(states) {
    this.#states = new Map(states.map((state) => [state.tenant, state]));
    this.#list.show(states);
    this.#choose();
    const state = this.#states.get(this.#view?.tenant);
    if (state) this.#view.showState(state);
    this.#view?.showTenants?.([...this.#states.keys()]);
  }

  focus() {
    document.getElementById("tenants-heading").focus();
  }

  remove() {
    this.#moves.abort();
    this.#list.show([]);
    part(document.getElementById("tenants"), "manage").hidden = true;
    part(document.getElementById("tenants"), "role").textContent = "";
    this.#leave();
    document.title = NAME;
  }

  // Where there is room, one tenant is always shown.
  #choose({ isAsked = false } = {}) {
    const asked = window.location.hash.slice(1);
    const first = wide.matches ? this.#states.keys().next().value : undefined;
    const isKeys = asked === KEYS && this.#me !== undefined && mayManage(this.#me.role);
    const tenant = this.#states.has(asked) || isKeys ? asked : first;
    const before = this.#view?.tenant;
    if (tenant !== before) this.#go(tenant);
    if (!isAsked) return;
    if (asked && tenant === asked) this.#view.focusHeading();
    else if (tenant === undefined) this.#list.focus(before);
  }

  #go(tenant) {
    this.#leave();
    if (tenant !== undefined) {
      this.#view =
        tenant === KEYS ? new KeysView(KEYS, this.#api, this.#me) : new TenantView(this.#api, this.#states.get(tenant));
      if (this.#me !== undefined) this.#view.showRole?.(this.#me.role);
      this.#place.replaceChildren(this.#view.element);
      window.scrollTo(0, 0);
    }
    this.#list.mark(tenant);
    document.body.classList.toggle("has-chosen", tenant !== undefined);
    const manage = part(document.getElementById("tenants"), "manage").querySelector("a");
    manage.toggleAttribute("aria-current", tenant === KEYS);
    if (tenant === KEYS) manage.setAttribute("aria-current", "page");
    document.title = tenant === undefined ? NAME : `${tenant === KEYS ? "Keys" : tenant} · ${NAME}`;
  }

  #leave() {
    this.#view?.remove();
    this.#view = undefined;
  }
}
