"""Draws what was measured as an SVG, for light and for dark pages. Pure; bars and words, nothing else.

Each chart has its own scale. The floor is a line behind the bars: nobody can be beyond it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from tests.bench.figures import DELIVERIES, Trial, middle
from tests.bench.report import quantity
from tests.bench.scenarios import BY_NAME, TALK

WIDTH: Final = 900
COLUMN: Final = 450
MARGIN: Final = 24
NAMES: Final = 128
BAR: Final = 13
STEP: Final = 19
HEAD: Final = 46
TOP: Final = 64
ROOM: Final = COLUMN - 2 * MARGIN - NAMES - 62
SHORT: Final = {
    "bridge": "Aether Bridge",
    "bun": "Bun",
    "nats": "NATS",
    "wse": "wse-server",
    "nchan": "nchan",
    "socketio": "Socket.IO",
    "python-socketio": "python-socketio",
    "fastapi": "FastAPI, redis-py",
}
STYLE: Final = """
    svg { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --peer: #afb8c1; --ours: #0a58ca; --floor: #9a5b00; }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --peer: #484f58; --ours: #6cb0ff; --floor: #e3a44a; }
    }
    text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }
    .paper { fill: var(--paper); }
    .title { font-size: 17px; font-weight: 600; }
    .head { font-weight: 600; }
    .soft { fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 4; }
    .end { text-anchor: end; }
    .bar { fill: var(--peer); }
    .ours { fill: var(--ours); font-weight: 600; }
    .floor { stroke: var(--floor); stroke-width: 1.5; stroke-dasharray: 4 3; }
    .floor-name { fill: var(--floor); }"""


@dataclass(frozen=True)
class Chart:
    """`values`: server and number, in the order in which they are drawn. `floor`: where its line stands."""

    title: str
    values: Sequence[tuple[str, float]]
    floor: float | None = None
    unit: str = ""

    @property
    def height(self) -> int:
        return HEAD + len(self.values) * STEP + MARGIN


def draw(trials: Sequence[Trial]) -> str:
    """The picture of all that can be drawn of these trials."""
    drawn, y = [], TOP
    charts = charts_of(trials)
    if not charts:
        return _page(
            [f'<text class="soft" x="{MARGIN}" y="{TOP + 8}">not measured yet: make bench</text>'], TOP + MARGIN
        )
    for left, right in zip(charts[::2], [*charts[1::2], None], strict=False):
        drawn += _chart(left, 0, y)
        if right is not None:
            drawn += _chart(right, COLUMN, y)
        y += max(left.height, right.height if right else 0)
    return _page(drawn, y)


def charts_of(trials: Sequence[Trial]) -> list[Chart]:
    """One chart for each usual scenario in which the bridge and somebody else took part."""
    charts = [_of(trials, each.name, DELIVERIES, f"{each.title}: deliveries a second") for each in TALK]
    storm = BY_NAME["storm-32"].name
    charts.append(_of(trials, storm, "opened_per_second", "handshakes a second, 32 at once"))
    charts.append(
        _of(trials, storm, "kib_per_connection", "KiB for an idle connection: less is better", has_floor=False)
    )
    return [chart for chart in charts if len(chart.values) > 1]


def _of(trials: Sequence[Trial], scenario: str, number: str, title: str, *, has_floor: bool = True) -> Chart:
    values = [(name, middle(trials, name, scenario, number)) for name in SHORT]
    floor = middle(trials, "floor", scenario, number) if has_floor else None
    return Chart(title, [(name, value) for name, value in values if value is not None], floor)


def _chart(chart: Chart, x: int, y: int) -> list[str]:
    most = max([value for _, value in chart.values] + ([chart.floor] if chart.floor else []))
    left = x + MARGIN + NAMES
    lines = [f'<text class="head" x="{x + MARGIN}" y="{y + 18}">{escape(chart.title)}</text>']
    if chart.floor is not None:
        at, end = left + ROOM * chart.floor / most, y + HEAD + len(chart.values) * STEP
        lines.append(f'<path class="floor" d="M{at:.1f} {y + HEAD - 6}V{end}"/>')
        words = f"the floor {quantity(chart.floor)}"
        lines.append(f'<text class="floor-name end" x="{x + COLUMN - MARGIN}" y="{y + HEAD - 9}">{words}</text>')
    for index, (name, value) in enumerate(chart.values):
        lines += _bar(name, value, left, y + HEAD + index * STEP, ROOM * value / most)
    return lines


def _bar(name: str, value: float, left: int, y: int, length: float) -> list[str]:
    ours = " ours" if name == "bridge" else ""
    words = quantity(value) if value >= 100 else f"{value:.1f}"
    return [
        f'<text class="end{ours}" x="{left - 8}" y="{y + BAR - 2}">{SHORT[name]}</text>',
        f'<rect class="bar{ours}" x="{left}" y="{y}" width="{max(length, 1):.1f}" height="{BAR}" rx="2"/>',
        f'<text class="soft{ours}" x="{left + length + 6:.1f}" y="{y + BAR - 2}">{words}</text>',
    ]


def _page(drawn: Sequence[str], height: int) -> str:
    title = "Aether Bridge beside others, on one core"
    described = "Bars of deliveries a second, handshakes a second and memory of idle connections, for each server."
    body = "\n  ".join(drawn)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"
  aria-labelledby="title description">
  <title id="title">{title}</title>
  <desc id="description">{described}</desc>
  <style>{STYLE}
  </style>
  <rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>
  <text class="title" x="{MARGIN}" y="36">{title}</text>
  <text class="soft end" x="{WIDTH - MARGIN}" y="36">the floor: a C program that only reads and writes the frames</text>
  {body}
</svg>
"""
