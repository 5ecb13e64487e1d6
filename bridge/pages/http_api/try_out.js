// A form that sends one request to this bridge and shows the answer. Nothing of an answer becomes HTML.

import { element } from "./element.js";

export function tryOut(path, method, described, example) {
  const inputs = (described.parameters ?? []).map((parameter) => [parameter, inputOf(parameter)]);
  const body = example && element("textarea", { spellcheck: "false", "aria-label": "Body" });
  if (body) body.value = JSON.stringify(example, null, 2);
  const answer = element("pre", { hidden: true, tabindex: "0", "aria-live": "polite", "aria-label": "Answer" });
  const form = element("form", {},
    element("div", { class: "fields" }, ...inputs.map(([parameter, input]) => element("label", {}, parameter.name, input))),
    body, element("div", { class: "send" }, element("button", { class: "strong v3" }, "Send")), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    answer.textContent = await answerTo(addressOf(path, inputs), method, headersOf(described), body?.value);
  });
  return form;
}

function inputOf({ name, in: place, required, schema = {} }) {
  return element("input", { name, required: required || place === "path", value: schema.default ?? undefined });
}

function addressOf(path, inputs) {
  let address = path;
  const query = new URLSearchParams();
  for (const [{ name, in: place }, { value }] of inputs) {
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "") query.set(name, value);
  }
  return query.size ? `${address}?${query}` : address;
}

function headersOf(described) {
  const shown = Object.fromEntries(new FormData(document.querySelector("form.keys")));
  const wanted = (described.security ?? []).flatMap(Object.keys);
  return {
    ...(wanted.includes("ApiKey") && shown.ApiKey ? { "X-Api-Key": shown.ApiKey } : {}),
    ...(wanted.includes("Bearer") && shown.Bearer ? { Authorization: `Bearer ${shown.Bearer}` } : {}),
  };
}

const LONGEST_ANSWER = 20_000;
const PATIENCE_MS = 15_000;

async function answerTo(address, method, headers, body) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body, signal });
    return `${answer.status} ${answer.statusText}\n\n${readable(await answer.text())}`;
  } catch (error) {
    return error.name === "TimeoutError" ? `No end of an answer in ${PATIENCE_MS / 1000} seconds.` : String(error);
  }
}

function readable(text) {
  const shortened = text.length > LONGEST_ANSWER ? `${text.slice(0, LONGEST_ANSWER)}\n…` : text;
  try {
    return JSON.stringify(JSON.parse(shortened), null, 2);
  } catch {
    return shortened;
  }
}
