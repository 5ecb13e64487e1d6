// Speaks to the admin API with the operator's key. It judges no answer: what is refused becomes a `Refusal`, whose
// message is the sentence that the API said. It must never try again by itself.

const ROOT = "/admin/api";
const UNREACHABLE = "The bridge cannot be reached.";

export class Refusal extends Error {
  // `status` is 0 where nobody answered; `body` is what the API said.
  constructor(status, body) {
    super(sentenceOf(status, body));
    this.status = status;
    this.code = body.code;
    this.body = body;
  }

  get isAboutTheKey() {
    return this.status === 401 || this.status === 403;
  }
}

export class Api {
  #key;

  constructor(key) {
    this.#key = key;
  }

  tenants() {
    return this.#ask("/tenants");
  }

  // The body of the answer, a stream that goes on for as long as the bridge lives.
  async events(signal) {
    return (await this.#fetch("/events", { signal })).body;
  }

  // One of a tenant's records: `census`, `ledger`, `guards`, `history` or `changes`.
  about(tenant, record, signal, query = "") {
    return this.#ask(`${pathOf(tenant)}/${record}${query}`, { signal });
  }

  // What this key may do: `{name, role, tenants, broadcast}`.
  me() {
    return this.#ask("/me");
  }

  keys(signal) {
    return this.#ask("/keys", { signal });
  }

  newKey(wanted) {
    return this.#ask("/keys", { method: "POST", body: JSON.stringify(wanted) });
  }

  revoke(name) {
    return this.#ask(`/keys/${encodeURIComponent(name)}`, { method: "DELETE" });
  }

  reload() {
    return this.#ask("/reload", { method: "POST" });
  }

  order(tenant, { method, path, body }, query = "") {
    return this.#ask(`${pathOf(tenant)}/${path}${query}`, { method, body: JSON.stringify(body) });
  }

  async #ask(path, options) {
    return (await this.#fetch(path, options)).json();
  }

  async #fetch(path, options = {}) {
    const response = await this.#reach(path, options);
    if (response.ok) return response;
    throw new Refusal(response.status, await bodyOf(response));
  }

  async #reach(path, options) {
    const headers = { Authorization: `Bearer ${this.#key}` };
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await fetch(ROOT + path, { ...options, headers, cache: "no-store" });
    } catch (problem) {
      if (problem.name === "AbortError") throw problem;
      throw new Refusal(0, { msg: UNREACHABLE });
    }
  }
}

function pathOf(tenant) {
  return `/tenants/${encodeURIComponent(tenant)}`;
}

async function bodyOf(response) {
  try {
    return Object(await response.json());
  } catch {
    return {};
  }
}

function sentenceOf(status, { msg }) {
  return typeof msg === "string" ? msg : `The bridge answered ${status}.`;
}
