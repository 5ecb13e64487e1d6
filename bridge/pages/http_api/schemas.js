// Reads schemas of openapi.json. Pure.

export function withoutReference(api, schema) {
  return schema.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema;
}

// A few words for a type: `string`, `Member[]`, `"msg" | "cmd"`.
export function typeOf(api, schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.map((each) => typeOf(api, each)).join(" | ");
  if (schema.type === "array") return `${typeOf(api, schema.items ?? {})}[]`;
  return schema.type ?? "any";
}

// What may be said: the schema's own example, or what must be there.
export function exampleOf(api, schema) {
  const plain = withoutReference(api, schema);
  if (plain.examples) return plain.examples[0];
  const needed = Object.entries(plain.properties ?? {}).filter(([name]) => (plain.required ?? []).includes(name));
  return Object.fromEntries(needed.map(([name, field]) => [name, valueOf(field)]));
}

function valueOf(field) {
  if (field.enum) return field.enum[0];
  return { object: {}, array: [], integer: 0, number: 0, boolean: false }[field.type] ?? "";
}
