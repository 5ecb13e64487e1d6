// Reads server-sent events out of text that comes in pieces. Pure: what has not ended yet is kept for the next piece.

const BLANK_LINE = /\r\n\r\n|\n\n|\r\r/;
const LINE_END = /\r\n|\n|\r/;

export class EventReader {
  #rest = "";

  // The events that this piece ends, as {name, data}. A comment is none.
  read(piece) {
    const blocks = (this.#rest + piece).split(BLANK_LINE);
    this.#rest = blocks.pop();
    return blocks.map(eventOf).filter(({ data }) => data !== "");
  }
}

function eventOf(block) {
  const lines = block.split(LINE_END);
  return { name: valuesOf(lines, "event").at(-1) ?? "message", data: valuesOf(lines, "data").join("\n") };
}

function valuesOf(lines, field) {
  return lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
}
