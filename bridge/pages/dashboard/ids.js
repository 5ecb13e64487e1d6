// The id map of a tenant: takes lines or a file, asks what they would change, and hands the question on. Nothing is ordered
// from here, and it never judges an id: the bridge does.

import { part } from "./element.js";
import { idsIn, NotAnIdMap } from "./id_csv.js";
import { addIds, replaceIds, takeBackIds } from "./orders.js";
import { lookingOnly, mayManage } from "./roles.js";
import { visible } from "./visible.js";
import { counted } from "./words.js";

const MOST_BYTES = 8 * 1024 * 1024; // as the API
const NOTHING = "Name ids first: a file, or a line such as 42,Xk3vT9.";
const TOO_BIG = "The page takes 8 MB: give a larger file to aether-bridge tenants ids.";
const NOT_UTF8 = "The file is not UTF-8: save it as UTF-8.";

export class Ids {
  #root;
  #form;
  #ask;
  #tenant;

  // `ask(order, why)` opens the question.
  constructor(root, ask) {
    this.#root = root;
    this.#form = root.querySelector("form");
    this.#ask = ask;
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#form.addEventListener("input", () => this.#complain(""));
    this.#form.elements.file.addEventListener("change", ({ target }) => this.#read(target));
    part(root, "undo").addEventListener("click", () => ask(takeBackIds(this.#tenant), this.#why));
  }

  showState({ tenant, ids }) {
    this.#tenant = tenant;
    const size = ids === 0 ? "No id is mapped" : `${counted(ids, "id is", "ids are")} mapped`;
    part(this.#root, "size").textContent = `${size}. Who is not in the map has a name made of its V2 id.`;
  }

  // Who may not change it sees why nothing can be pressed.
  showRole(role) {
    const mayChange = mayManage(role);
    part(this.#root, "role").textContent = mayChange ? "" : lookingOnly("Changing the id map", "admin", role);
    part(this.#root, "role").hidden = mayChange;
    for (const control of this.#form.querySelectorAll("button, input, textarea")) control.disabled = !mayChange;
  }

  // What was ordered is done.
  settle() {
    this.#form.reset();
  }

  get #why() {
    return this.#form.elements.why.value.trim();
  }

  #submitted(event) {
    event.preventDefault();
    const { text, whole } = this.#form.elements;
    try {
      const ids = idsIn(text.value);
      const order = whole.checked ? replaceIds : addIds;
      if (!whole.checked && Object.keys(ids).length === 0) this.#complain(NOTHING);
      else this.#ask(order(this.#tenant, ids), this.#why);
    } catch (problem) {
      if (!(problem instanceof NotAnIdMap)) throw problem;
      this.#complain(visible(problem.message));
    }
  }

  // Its text comes into the field, so that what is sent is what is seen. The same file may be chosen again once it is mended.
  async #read(input) {
    const [file] = input.files;
    if (file === undefined) return;
    input.value = "";
    if (file.size > MOST_BYTES) return this.#complain(TOO_BIG);
    try {
      this.#form.elements.text.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      this.#complain("");
    } catch {
      this.#complain(NOT_UTF8);
    }
  }

  #complain(sentence) {
    part(this.#root, "problem").textContent = sentence;
    if (sentence) this.#form.elements.text.focus();
  }
}
