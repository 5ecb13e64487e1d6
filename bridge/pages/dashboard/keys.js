// The API keys, and the configuration: makes a key and shows it this once, revokes one after a question, and has the
// file read anew. It must never keep a key that was made, nor ask for anything twice by itself.

import { Announcer } from "./announcer.js";
import { cloneOf, element, ownId, part } from "./element.js";
import { Loader } from "./loader.js";
import { Table } from "./table.js";
import { ago } from "./time.js";
import { visible } from "./visible.js";

const AGAIN_MILLISECONDS = 15_000;
const IN_FILE = "in the file";

export class KeysView {
  element = cloneOf("keys");
  tenant; // the place in the address that this view stands for
  #api;
  #announcer = new Announcer(part(this.element, "said"));
  #form = this.element.querySelector(".new-key");
  #dialog = this.element.querySelector("dialog");
  #revoked = "";
  #table = new Table("What is stored of each key", [
    ["Name", ({ name }) => element("bdi", {}, visible(name))],
    ["Revoke", (key) => this.#deed(key), "unbroken"],
    ["Tenants", ({ tenants }) => element("bdi", {}, tenants.join(", "))],
    ["Broadcast", ({ broadcast }) => broadcast],
    ["Role", ({ role }) => role],
    ["Made", ({ made_at: at, made_by: by }) => (at ? [ago(at), element("small", { class: "quiet" }, ` by ${visible(by)}`)] : "–"), "unbroken"],
  ]);
  #loader = new Loader((signal) => this.#api.keys(signal), (keys) => this.#table.show(keys), part(this.element, "trouble"));
  #timer = setInterval(() => document.visibilityState === "visible" && this.#loader.load(), AGAIN_MILLISECONDS);

  constructor(tenant, api, me) {
    this.tenant = tenant;
    this.#api = api;
    part(this.element, "rows").append(this.#table.element);
    part(this.element, "configuration").hidden = !me.tenants.includes("*");
    for (const panel of this.element.querySelectorAll("section.panel")) {
      panel.setAttribute("aria-labelledby", ownId(panel.querySelector("h3")));
    }
    this.#listen();
    this.#loader.load();
  }

  focusHeading() {
    this.element.querySelector("h2").focus();
  }

  remove() {
    clearInterval(this.#timer);
    this.#loader.stop();
    this.#dialog.close();
    this.element.remove();
  }

  #listen() {
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    part(this.element, "copy").addEventListener("click", () => this.#copy());
    part(this.element, "forget").addEventListener("click", () => this.#forget());
    part(this.element, "cancel").addEventListener("click", () => this.#dialog.close());
    part(this.element, "reload").addEventListener("click", () => this.#reload());
    this.#dialog.addEventListener("submit", (event) => this.#revoke(event));
  }

  // What can be done with the key.
  #deed(key) {
    if (key.where === "file") return element("span", { class: "quiet" }, IN_FILE);
    const button = element("button", { type: "button", "aria-label": `Revoke ${key.name}` }, "Revoke…");
    button.addEventListener("click", () => this.#ask(key.name));
    return button;
  }

  async #submitted(event) {
    event.preventDefault();
    const { name, tenants, broadcast, role } = this.#form.elements;
    const named = tenants.value.split(",").map((tenant) => tenant.trim()).filter(Boolean);
    if (named.length === 0) return this.#complain("Name the tenants that it opens; * is every one.", tenants);
    this.#complain("");
    this.#forget();
    try {
      this.#made(await this.#api.newKey({ name: name.value.trim(), tenants: named, broadcast: broadcast.value, role: role.value }));
    } catch (refusal) {
      this.#complain(refusal.message, name);
    }
  }

  #made({ key, name, unknown_tenants: unknown }) {
    part(this.element, "made-name").textContent = visible(name);
    part(this.element, "made-key").textContent = key;
    part(this.element, "made-unknown").textContent = unknown.length > 0 ? `No tenant is known as ${unknown.join(", ")} yet.` : "";
    part(this.element, "made").hidden = false;
    this.#form.reset();
    this.#loader.load();
  }

  async #copy() {
    await navigator.clipboard.writeText(part(this.element, "made-key").textContent).then(
      () => this.#announcer.say("The key is copied."),
      () => this.#announcer.say("The browser does not let it be copied: mark it by hand."),
    );
  }

  #forget() {
    part(this.element, "made").hidden = true;
    part(this.element, "made-key").textContent = "";
  }

  #complain(sentence, field) {
    part(this.element, "problem").textContent = sentence;
    field?.focus();
  }

  #ask(name) {
    this.#revoked = name;
    part(this.element, "revoke-problem").textContent = "";
    this.#dialog.querySelector("h2").textContent = `Revoke ${visible(name)}?`;
    this.#dialog.showModal();
    this.#dialog.querySelector("h2").focus();
  }

  async #revoke(event) {
    event.preventDefault();
    const name = this.#revoked;
    try {
      await this.#api.revoke(name);
      this.#dialog.close();
      this.#announcer.say(`${visible(name)} is revoked.`);
      this.#loader.load();
    } catch (refusal) {
      part(this.element, "revoke-problem").textContent = refusal.message;
    }
  }

  async #reload() {
    const [refused, taken, button] = ["refused", "taken", "reload"].map((name) => part(this.element, name));
    refused.textContent = taken.textContent = "";
    button.disabled = true;
    try {
      taken.textContent = reloadInWords(await this.#api.reload());
      this.#loader.load();
    } catch (refusal) {
      refused.textContent = refusal.message;
    }
    button.disabled = false;
  }
}

function reloadInWords({ configuration, changed, needs_restart: later }) {
  const what = changed.length > 0 ? `Taken: ${changed.join(", ")}.` : "Nothing is new in the file.";
  const rest = later.length > 0 ? ` A restart is needed for ${later.join(", ")}.` : "";
  return `${what}${rest} Its hash is ${configuration}.`;
}
