// The tenants that this key may see, each with its stage and how far it has come; more than a handful can be filtered.
// A tenant is chosen by its link, so by the address: the list itself keeps no choice.

import { Bar } from "./bar.js";
import { element, part } from "./element.js";
import { standing, progressInWords } from "./words.js";

const MOST_WITHOUT_FILTER = 8;
const NONE_FOUND = "No tenant is called so.";
const NONE_SEEN = "This key sees no tenant.";

export class TenantList {
  #root;
  #filter;
  #items = new Map();

  constructor(root) {
    this.#root = root;
    this.#filter = root.querySelector("input");
    this.#filter.addEventListener("input", () => this.#look());
  }

  show(states) {
    const gone = new Set(this.#items.keys());
    for (const state of states) {
      if (!gone.delete(state.tenant)) this.#add(state.tenant);
      this.#items.get(state.tenant).show(state);
    }
    for (const tenant of gone) this.#remove(tenant);
    part(this.#root, "filter").hidden = states.length <= MOST_WITHOUT_FILTER;
    this.#look();
  }

  mark(chosen) {
    for (const [tenant, item] of this.#items) item.isChosen = tenant === chosen;
  }

  focus(tenant) {
    this.#items.get(tenant)?.focus();
  }

  #add(tenant) {
    this.#items.set(tenant, new Item(tenant));
    const names = [...this.#items.keys()].sort();
    const next = this.#items.get(names[names.indexOf(tenant) + 1]);
    part(this.#root, "list").insertBefore(this.#items.get(tenant).element, next?.element ?? null);
  }

  #remove(tenant) {
    this.#items.get(tenant).element.remove();
    this.#items.delete(tenant);
  }

  #look() {
    const words = part(this.#root, "filter").hidden ? "" : this.#filter.value.trim().toLowerCase();
    let found = 0;
    for (const [tenant, item] of this.#items) {
      item.element.hidden = !tenant.toLowerCase().includes(words);
      found += item.element.hidden ? 0 : 1;
    }
    part(this.#root, "nothing").textContent = found > 0 ? "" : this.#items.size > 0 ? NONE_FOUND : NONE_SEEN;
  }
}

class Item {
  #bar = new Bar("v2", "socketio", "v3");
  #stage = element("span", { class: "badge" });
  #progress = element("span", { class: "hint" });
  #link;

  constructor(tenant) {
    const line = element("span", { class: "line" }, element("bdi", { class: "name" }, tenant), this.#stage);
    this.#link = element("a", { href: `#${tenant}` }, line, this.#bar.element, this.#progress);
    this.element = element("li", {}, this.#link);
  }

  show(state) {
    const { v2, v3, socketio } = state.connections;
    this.#bar.show(v2, socketio, v3);
    this.#stage.textContent = standing(state);
    this.#stage.className = `badge ${state.stage}`;
    this.#progress.textContent = progressInWords(state.connections);
  }

  set isChosen(isChosen) {
    if (isChosen) this.#link.setAttribute("aria-current", "page");
    else this.#link.removeAttribute("aria-current");
  }

  focus() {
    this.#link.focus();
  }
}
