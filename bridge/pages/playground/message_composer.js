// Where a V3 client writes: the sender's fields of one message. It checks only what it cannot send, a payload that is
// no object; everything else the bridge judges. It never connects, and never keeps what was sent.

import { cloneOf, ownId, part } from "./element.js";
import { MESSAGES } from "./examples.js";
import { exampleButton } from "./frame_composer.js";
import { isObject, read, write } from "./json.js";
import { sendsWithControlEnter } from "./sending.js";

const TEXT_FIELDS = ["to_id", "cmd", "msg"];
const HEARTBEAT = { msg_type: "heartbeat", target: "echo" };

export class MessageComposer {
  #form = cloneOf("message-composer");
  #say;

  // `say(text)` is called with what is to be sent.
  constructor(say) {
    this.#say = say;
    const form = this.#form;
    for (const [name, message] of MESSAGES) {
      form.querySelector(".examples").append(exampleButton(name, () => this.#write(message)));
    }
    form.elements.payload.setAttribute("aria-describedby", ownId(part(form, "problem")));
    form.addEventListener("input", () => this.#look());
    part(form, "heartbeat").addEventListener("click", () => say(write(HEARTBEAT)));
    sendsWithControlEnter(form, () => this.#send());
    this.#write(MESSAGES[0][1]);
  }

  get element() {
    return this.#form;
  }

  // How long the last heartbeat took there and back, in words.
  set roundTrip(sentence) {
    part(this.#form, "trip").textContent = sentence;
  }

  #write(message) {
    const { elements } = this.#form;
    elements.msg_type.value = message.msg_type;
    elements.target.value = message.target;
    for (const name of TEXT_FIELDS) elements[name].value = message[name] ?? "";
    elements.payload.value = message.payload === undefined ? "" : write(message.payload);
    this.#look();
  }

  #send() {
    const payload = this.#look();
    if (payload === null) this.#form.elements.payload.focus();
    else this.#say(write(this.#message(payload)));
  }

  #message(payload) {
    const { elements } = this.#form;
    const message = { msg_type: elements.msg_type.value, target: elements.target.value };
    for (const name of TEXT_FIELDS) {
      const isShown = name !== "to_id" || message.target === "direct";
      if (isShown && elements[name].value) message[name] = elements[name].value;
    }
    return payload === undefined ? message : { ...message, payload };
  }

  // Shows what the fields mean now; the payload, `undefined` where there is none and `null` where it is wrong.
  #look() {
    const { payload, target } = this.#form.elements;
    const text = payload.value.trim();
    const value = text ? read(text) : undefined;
    const isWrong = text !== "" && !isObject(value);
    part(this.#form, "to_id").hidden = target.value !== "direct";
    payload.setAttribute("aria-invalid", isWrong);
    part(this.#form, "problem").textContent = isWrong ? problemOf(value) : "";
    return isWrong ? null : value;
  }
}

function problemOf(value) {
  if (value === undefined) return "payload is not valid JSON yet.";
  return 'payload must be a JSON object, such as {"force": true}.';
}
