// A bar whose parts are as long as their numbers, such as V2 beside V3. It is never read out: the same must always
// stand beside it in words.

const SVG = "http://www.w3.org/2000/svg";
const WHOLE = 100;

export class Bar {
  element = drawing("svg", { class: "bar", viewBox: `0 0 ${WHOLE} 1`, preserveAspectRatio: "none" });
  #parts;

  // The parts' class names, from the left.
  constructor(...names) {
    this.#parts = names.map((name) => drawing("rect", { class: name, height: 1 }));
    this.element.setAttribute("aria-hidden", "true");
    this.element.append(...this.#parts);
  }

  show(...values) {
    const sum = values.reduce((total, value) => total + value, 0);
    let start = 0;
    this.#parts.forEach((part, place) => {
      const length = sum === 0 ? 0 : (values[place] / sum) * WHOLE;
      part.setAttribute("x", start);
      part.setAttribute("width", length);
      start += length;
    });
  }
}

function drawing(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
