// Makes elements and clones templates. The only way by which data enters the document: as text or as an attribute's
// value. It must never set HTML, a style or a handler.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(attribute, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

export function cloneOf(template) {
  return document.getElementById(template).content.firstElementChild.cloneNode(true);
}

export function part(within, name) {
  return within.querySelector(`[data-part="${name}"]`);
}

let numbers = 0;

// An id that no other element of the page has, for labels and descriptions.
export function ownId(node) {
  numbers += 1;
  node.id = `part-${numbers}`;
  return node.id;
}
