"""What is to be reached, and whether it was. Pure.

All but the rows of history are with history off and everything else on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.figures import Figure, Spread, Trial, amount, growth, ratio, spread
from tests.bench.scenarios import BY_NAME


@dataclass(frozen=True)
class Bar:
    """A bound for the median of a figure. `unit` follows the number, as in `1.6 × Bun`."""

    work: str
    figure: Figure
    bound: float
    unit: str
    at_least: bool = True

    def measured(self, trials: Sequence[Trial]) -> Spread | None:
        return spread(self.figure(trials))

    def is_reached(self, measured: Spread) -> bool:
        return measured.middle >= self.bound if self.at_least else measured.middle <= self.bound

    @property
    def words(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:,g} {self.unit}"


PEERS: Final = {
    "bun": "Bun",
    "nats": "NATS",
    "wse": "wse-server",
    "nchan": "nchan",
    "socketio": "Socket.IO",
}


def _against(scenario: str, **bounds: float) -> list[Bar]:
    work = BY_NAME[scenario].title
    return [Bar(work, ratio(scenario, peer), bound, f"× {PEERS[peer]}") for peer, bound in bounds.items()]


def _one_at_a_time(scenario: str, bound: float) -> Bar:
    figure = ratio(scenario, "nats", number="p50_us")
    return Bar(f"{BY_NAME[scenario].title}, p50", figure, bound, "× NATS", at_least=False)


def _half(scenario: str) -> list[Bar]:
    work = BY_NAME[scenario].title
    return [
        Bar(f"{work}, half on V2 (`{routing}`)", ratio(scenario, "bridge", server), 0.85, "× V3 alone")
        for routing, server in (("group", "bridge-half"), ("global", "bridge-half-global"))
    ]


def _history(scenario: str) -> Bar:
    return Bar(f"{BY_NAME[scenario].title}, history on", ratio(scenario, "bridge", "bridge-history"), 0.85, "× off")


def _processor(scenario: str, bound: float) -> list[Bar]:
    work, number = BY_NAME[scenario].title, "server_us"
    v2 = ratio(scenario, "bridge", "bridge-v2", number)
    return [
        Bar(f"{work}, processor for each message", amount(scenario, number), bound, "µs", at_least=False),
        Bar(f"{work}, that of V2", v2, 1.6, "× V3", at_least=False),
    ]


ALL: Final = (
    *_against("1000x64", bun=1.6, nats=2.7, wse=1.4),
    *_against("1000x512", bun=3, nats=4, wse=2),
    *_against("100x64", bun=0.8, nats=1.2, wse=0.9),
    *_against("10x64", bun=0.6, nats=0.75, nchan=4, wse=1.2),
    *_against("200x5", bun=0.7, nchan=1.1, socketio=3),
    *_against("1000x5", bun=0.7, nats=1.5),
    _one_at_a_time("one-10", 1.5),
    _one_at_a_time("one-1000", 0.75),
    *_half("1000x64"),
    *_half("100x64"),
    Bar("idle connection (5,000 held)", amount("storm-32", "kib_per_connection"), 10, "KiB", at_least=False),
    Bar("handshakes, 32 at once", amount("storm-32", "opened_per_second"), 2_500, "a second"),
    Bar("handshakes, 32 at once", ratio("storm-32", "socketio", number="opened_per_second"), 2, "× Socket.IO"),
    Bar("100 to 10,000 listeners, the worst size", growth("listeners"), 0.7, "× the best"),
    Bar("10 to 10,000 groups, the worst size", growth("groups"), 0.7, "× the best"),
    *_processor("10x64", 11),
    *_processor("200x5", 33),
    *map(_history, ("1000x64", "1000x512", "100x64", "10x64", "200x5")),
)
