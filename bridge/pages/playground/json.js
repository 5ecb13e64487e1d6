// Reads and writes JSON so that what is shown is what was said: a number keeps its digits, however many they are.
// It must never change a value and never throw: what is no JSON is `undefined`.

export function read(text) {
  try {
    return JSON.parse(text, exactly);
  } catch {
    return undefined;
  }
}

// `indent` spaces a level; none for one line. A value nested too deep for the browser is `undefined`.
export function write(value, indent = 0) {
  try {
    return JSON.stringify(value, null, indent);
  } catch {
    return undefined;
  }
}

export function pretty(text) {
  const value = read(text);
  return (value === undefined ? undefined : write(value, 2)) ?? text;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRaw(value);
}

function exactly(_name, value, context) {
  const isRounded = typeof value === "number" && context?.source !== undefined && context.source !== String(value);
  return isRounded && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
}

function isRaw(value) {
  return JSON.isRawJSON?.(value) ?? false;
}
