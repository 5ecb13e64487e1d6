// Where a V2 client writes: any text is a frame. It never connects, and never keeps what was sent.

import { cloneOf, element, ownId, part } from "./element.js";
import { FRAMES } from "./examples.js";
import { isObject, read } from "./json.js";
import { sendsWithControlEnter } from "./sending.js";

// `say(text)` is called with what is to be sent.
export function frameComposer(say) {
  const form = cloneOf("frame-composer");
  const { frame } = form.elements;
  const hint = part(form, "hint");
  const look = () => {
    hint.textContent = meaningOf(frame.value);
  };
  const write = (text) => {
    frame.value = text;
    look();
  };
  frame.setAttribute("aria-describedby", ownId(hint));
  frame.addEventListener("input", look);
  form.querySelector(".examples").append(...FRAMES.map(([name, text]) => exampleButton(name, () => write(text))));
  sendsWithControlEnter(form, () => say(frame.value));
  write(FRAMES[0][1]);
  return form;
}

export function exampleButton(name, choose) {
  const button = element("button", { type: "button", class: "example" }, name);
  button.addEventListener("click", choose);
  return button;
}

function meaningOf(text) {
  const value = read(text);
  if (value === undefined) return "No JSON: V3 hears it as the text of a msg.";
  if (isObject(value)) return "A JSON object: V3 hears its words, each in its place.";
  return "A JSON value: V3 hears it as payload.value.";
}
