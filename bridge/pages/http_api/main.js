// Shows openapi.json: each operation, what it takes, what it answers, and a form that tries it. It knows no route itself.

import { element } from "./element.js";
import { tryOut } from "./try_out.js";
import { exampleOf, typeOf, withoutReference } from "./schemas.js";

const METHODS = ["get", "put", "post", "delete", "patch"];

async function show() {
  const main = document.querySelector("main");
  try {
    const answer = await fetch("/openapi.json");
    const api = await answer.json();
    main.replaceChildren(...groupsOf(api));
  } catch {
    main.replaceChildren(element("p", { class: "problem", role: "alert" }, "The bridge did not answer: load this page again."));
  }
  main.removeAttribute("aria-busy");
}

function groupsOf(api) {
  const groups = new Map([["For backends and monitoring", []], ["For operators", []]]);
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((each) => each in item)) {
      const group = path.startsWith("/admin/") ? "For operators" : "For backends and monitoring";
      groups.get(group).push(operation(api, path, method, item[method]));
    }
  }
  return [...groups].map(([name, shown]) => element("section", {}, element("h2", {}, name), ...shown));
}

function operation(api, path, method, described) {
  const summary = element("summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("code", { class: "path" }, path),
    element("span", { class: "hint" }, described.summary ?? ""));
  const shown = element("details", { class: "operation", id: described.operationId }, summary);
  shown.addEventListener("toggle", () => {
    if (shown.open && shown.children.length === 1) shown.append(inside(api, path, method, described));
  });
  return shown;
}

function inside(api, path, method, described) {
  const body = described.requestBody?.content["application/json"]?.schema;
  return element("div", { class: "inside" },
    described.description && element("p", {}, ...marked(described.description)),
    element("p", { class: "hint" }, credentialsOf(api, described)),
    ...(body ? [element("h3", {}, "Body"), fieldsOf(api, body)] : []),
    element("h3", {}, "Answers"), answersOf(api, described),
    element("h3", {}, "Try it"), tryOut(path, method, described, body && exampleOf(api, body)));
}

function credentialsOf(api, described) {
  const named = (described.security ?? []).flatMap(Object.keys);
  const schemes = named.map((name) => api.components.securitySchemes[name]);
  if (!schemes.length) return "Nothing secret: no key is needed.";
  return `Needs ${schemes.map((scheme) => (scheme.type === "apiKey" ? `the header ${scheme.name}` : "Authorization: Bearer")).join(", ")}.`;
}

function fieldsOf(api, schema) {
  const { properties = {}, required = [] } = withoutReference(api, schema);
  const rows = Object.entries(properties).map(([name, field]) =>
    row(`${name}${required.includes(name) ? " *" : ""}`, typeOf(api, field), field.description ?? ""));
  return element("table", {}, ...rows);
}

function answersOf(api, described) {
  const rows = Object.entries(described.responses).sort().map(([status, answer]) => {
    const [media, content] = Object.entries(answer.content ?? {})[0] ?? ["", {}];
    return row(status, content.schema ? typeOf(api, content.schema) : media, answer.description);
  });
  return element("table", {}, ...rows);
}

function row(name, type, words) {
  return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, element("code", {}, type)), element("td", {}, ...marked(words)));
}

// Words between backticks are code.
function marked(words) {
  return words.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

show();
