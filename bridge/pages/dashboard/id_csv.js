// Reads the lines of an id map, `v2_id,vision_id` as CSV (RFC 4180), as the command line does: a header is allowed, empty
// lines are passed over, spaces are part of an id. Pure. Whether the ids are good is for the bridge to judge.

const HEADER = "v2_id,vision_id";
const CELL = /"([^"]*(?:""[^"]*)*)"(?=[,\r\n]|$)|([^",\r\n][^,\r\n]*)|(?=[,\r\n]|$)/y;
const END = /,|\r\n|\n|\r|$/y;
const MOST_NAMED = 5;

// A file that is no id map: the message names its problems, each with its line.
export class NotAnIdMap extends Error {}

// V2 id -> Vision ID. Raises `NotAnIdMap`.
export function idsIn(text) {
  const [ids, lines, problems] = [new Map(), new Map(), []];
  for (const [line, cells] of rowsOf(text, problems)) {
    const [v2Id, name] = cells;
    if (cells.length !== 2) problems.push(`Line ${line} has ${cells.length === 1 ? "1 column" : `${cells.length} columns`}; write ${HEADER}.`);
    else if (ids.has(v2Id)) problems.push(`Line ${line}: the V2 id ${v2Id.slice(0, 32)} stands already on line ${lines.get(v2Id)}.`);
    ids.set(v2Id, name);
    lines.set(v2Id, line);
  }
  if (problems.length > 0) throw new NotAnIdMap(inWords(problems));
  return Object.fromEntries(ids);
}

function inWords(problems) {
  const more = problems.length - MOST_NAMED;
  return problems.slice(0, MOST_NAMED).join(" ") + (more > 0 ? ` And ${more} more.` : "");
}

// Each row with the line on which it begins, without the header and empty rows. It ends at what is no CSV.
function* rowsOf(text, problems) {
  let [at, line, isFirst] = [0, 1, true];
  while (at < text.length) {
    const row = rowAt(text, at);
    if (row === undefined) return problems.push(`Line ${line} cannot be read as CSV: mind its quotation marks.`);
    const isEmpty = row.end === at + row.mark.length;
    const isHeader = isFirst && row.cells.map((cell) => cell.trim().toLowerCase()).join(",") === HEADER;
    if (!isEmpty && !isHeader) yield [line, row.cells];
    isFirst &&= isEmpty;
    line += text.slice(at, row.end).split(/\r\n|\n|\r/).length - 1;
    at = row.end;
  }
}

// The row that begins at a place: its cells, where it ends, and the line break that ends it.
function rowAt(text, begin) {
  const cells = [];
  let [at, mark] = [begin, ","];
  while (mark === ",") {
    CELL.lastIndex = at;
    const cell = CELL.exec(text);
    if (cell === null) return undefined;
    cells.push(cell[1]?.replaceAll('""', '"') ?? cell[2] ?? "");
    END.lastIndex = at + cell[0].length;
    [mark] = END.exec(text);
    at = END.lastIndex;
  }
  return { cells, end: at, mark };
}
