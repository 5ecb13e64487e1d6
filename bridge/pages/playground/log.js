// What one client said and heard, newest last. Bounded: of more than 500 rows the oldest go. It never decides what a
// frame means, and draws at most once for each frame of the screen.

import { Announcer } from "./announcer.js";
import { part } from "./element.js";
import { frameRow, noteRow, open } from "./row.js";
import { walkWithArrows } from "./walk.js";

const MAX_ROWS = 500;
const NEAR_PIXELS = 40;

export class Log {
  #root;
  #scroller;
  #list;
  #announcer;
  #waiting = [];
  #isFollowing = true;
  #top = 0;
  #opened = new Set();

  constructor(root) {
    this.#root = root;
    this.#scroller = root.querySelector(".scroller");
    this.#list = root.querySelector("ol");
    this.#announcer = new Announcer(part(root, "announced"));
    walkWithArrows(this.#list);
    this.#listen();
  }

  // Only V3 hears of JOIN and LEAVE.
  set hasPresence(hasPresence) {
    this.#show("presence", hasPresence);
  }

  // {text, isSaid, isOwn, protocol, summary}: a frame; `isOwn` where a client hears what it said itself.
  frame(entry) {
    const { from, preview } = entry.summary;
    if (!entry.isSaid && !entry.isOwn) this.#announcer.announce(`Heard from ${from}: ${preview}`);
    this.#add({ ...entry, at: new Date() });
  }

  // What happened to the connection; `tone` is `good`, `bad` or `quiet`.
  note({ what, next }, tone = "quiet") {
    if (tone === "bad") this.#announcer.announce(`${what} ${next}`);
    this.#add({ what, next, tone, at: new Date() });
  }

  #listen() {
    const isWanted = part(this.#root, "presence").querySelector("input");
    isWanted.addEventListener("change", () => this.#list.classList.toggle("without-presence", !isWanted.checked));
    part(this.#root, "clear").addEventListener("click", () => this.#clear());
    part(this.#root, "newest").addEventListener("click", () => this.#follow());
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    new ResizeObserver(() => this.#followOn()).observe(this.#scroller);
  }

  #add(entry) {
    this.#waiting.push(entry);
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#draw());
    if (this.#waiting.length > MAX_ROWS) this.#waiting.shift();
  }

  #draw() {
    const follows = this.#isNearEnd();
    this.#list.append(...this.#waiting.splice(0).map((entry) => this.#row(entry)));
    while (this.#list.childElementCount > MAX_ROWS) this.#list.firstElementChild.remove();
    this.#show("empty", false);
    this.#makeReachable();
    if (follows) this.#follow();
    else this.#show("newest", true);
  }

  #row(entry) {
    if (entry.summary === undefined) return noteRow(entry);
    const row = frameRow(entry);
    if (this.#isFirstOfItsKind(entry)) open(row, entry)?.then(() => this.#followOn());
    return row;
  }

  // The first that is said and the first that another says open by themselves: so one sees that rows can be opened.
  #isFirstOfItsKind({ isSaid, isOwn, summary }) {
    if (!summary.crosses || summary.isPresence || isOwn || this.#opened.has(isSaid)) return false;
    this.#opened.add(isSaid);
    return true;
  }

  // One row can be reached with Tab, the newest unless somebody is among the rows; the arrows walk from there.
  #makeReachable() {
    if (this.#list.contains(document.activeElement)) return;
    const rows = this.#list.querySelectorAll("summary");
    this.#list.querySelector("summary[tabindex='0']")?.setAttribute("tabindex", "-1");
    rows.item(rows.length - 1)?.setAttribute("tabindex", "0");
  }

  #clear() {
    this.#list.replaceChildren();
    this.#show("newest", false);
    this.#show("empty", true);
  }

  #isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
  }

  #follow() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
    this.#isFollowing = true;
    this.#show("newest", false);
  }

  // A row has grown, or the log has another size: stay at the end, unless somebody has scrolled meanwhile.
  #followOn() {
    if (this.#isFollowing) this.#follow();
  }

  // Only somebody who scrolls up leaves the end: it also moves away by itself, when rows grow.
  #scrolled() {
    const { scrollTop } = this.#scroller;
    if (this.#isNearEnd()) this.#isFollowing = true;
    else if (scrollTop < this.#top) this.#isFollowing = false;
    this.#top = scrollTop;
    if (this.#isFollowing) this.#show("newest", false);
  }

  #show(name, isShown) {
    part(this.#root, name).hidden = !isShown;
  }
}
