// Writes records as CSV (RFC 4180) and hands them over as a file, made in the browser: nothing leaves it. What a
// spreadsheet would take for a formula is written with an apostrophe before it, since clients choose their own words. Some
// look past what is unseen before it, and take the wide signs of East Asia for the narrow ones.

const FORMULA = /^[\s\p{C}]*[=+\-@＝＋－＠]|^[\t\r\n]/u;

export function csvOf(headings, records) {
  const lines = [headings, ...records.map((record) => headings.map((heading) => record[heading]))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function cell(value) {
  const text = String(value ?? "");
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
