// Where one socket of the page stands in what is said to it. When it ends it leaves its place to the next socket to the
// same address, so that the page hears what it missed. It must never let two sockets go on from one place.

import { isText, membersOf } from "./json.js";
import { isOfBridge, Position } from "../position.js";

const MOST_LEFT = 100; // then the oldest is forgotten, and its page begins anew
const OF_BRIDGE = '{"bridge":';
const left = [];

export class Place {
  #address;
  #position;
  #isLeft = false;

  constructor({ url }) {
    this.#address = withoutToken(url);
    const before = left.find((one) => one.#address === this.#address);
    this.#position = before?.#position ?? new Position();
    before?.#forget();
  }

  get since() {
    return this.#position.since;
  }

  // What the page is told now; the gaps that it is to be told of as well.
  hear(message) {
    const payload = membersOf(message.get("payload"));
    const [complete, cursor] = [payload?.get("complete"), payload?.get("cursor")];
    const heard = { ...Object.fromEntries(message), payload: { complete, cursor } };
    this.#position.hear(heard);
    return heard.cmd === "RESUMED" && isOfBridge(heard) ? this.#position.gaps(heard) : [];
  }

  // On V2 nobody knows it, but for the bridge's last word when it sends the page to V3.
  goToV2(lastWord) {
    const isKnown = isText(lastWord) && lastWord.startsWith(OF_BRIDGE);
    this.#position = new Position(isKnown ? JSON.parse(lastWord).bridge.since : undefined);
  }

  // The page is told nothing more.
  leave(wasOpen) {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#position.lose(wasOpen);
    if (this.since !== undefined) left.push(this);
    if (left.length > MOST_LEFT) left.shift();
  }

  // A page that has closed, and was heard to, does not come back to this place.
  end(wasOpen, wasClean) {
    if (this.#isLeft && wasClean) this.#forget();
    this.leave(wasOpen);
  }

  #forget() {
    if (left.includes(this)) left.splice(left.indexOf(this), 1);
  }
}

// It is another one each time.
function withoutToken(url) {
  const address = new URL(url);
  address.searchParams.delete("jwt");
  return address.href;
}
