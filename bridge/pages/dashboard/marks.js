// Draws onto a chart when its tenant was moved: a line, and where there is room the stage that it was moved to. It
// only draws; it never reads the record.

const BETWEEN = 8;
const SIZE = 11;

// `marks` = [{at, words}], oldest first; `colour(name)` gives a colour of the page.
export function changeMarks(chart, marks, colour) {
  const { ctx: pen, bbox } = chart;
  const ratio = window.devicePixelRatio;
  pen.save();
  pen.font = `600 ${SIZE * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  pen.strokeStyle = colour("edge");
  pen.fillStyle = colour("text");
  pen.lineWidth = ratio;
  pen.setLineDash([3 * ratio, 3 * ratio]);
  let free = -Infinity;
  for (const { x, words } of placed(chart, marks)) {
    line(pen, x, bbox);
    if (x >= free) free = label(pen, x, words, bbox, ratio);
  }
  pen.restore();
}

function placed(chart, marks) {
  const { left, width } = chart.bbox;
  const all = marks.map(({ at, words }) => ({ x: Math.round(chart.valToPos(at, "x", true)), words }));
  return all.filter(({ x }) => x >= left && x <= left + width);
}

function line(pen, x, { top, height }) {
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x, top + height);
  pen.stroke();
}

// Where the next label may begin. At the right edge a label stands left of its line.
function label(pen, x, words, { left, width, top }, ratio) {
  const long = pen.measureText(words).width;
  pen.textAlign = x + long > left + width ? "right" : "left";
  pen.textBaseline = "bottom";
  pen.fillText(words, x, top - 2 * ratio);
  return x + long + BETWEEN * ratio;
}
