"""The sockets room, assembled: counts and bounds every accepted socket of this process. No rules of its own."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric

from bridge.sockets.last_words import LastWords
from bridge.sockets.strangers import REASONS, Strangers
from bridge.system.metrics import counters, gauge, gauges
from bridge.system.part import Part


class Sockets(Part):
    """The accepted sockets. `strangers` counts them and holds the bounds; `heard_out` are those closed politely."""

    def __init__(self, strangers: Strangers) -> None:
        self.strangers: Final = strangers
        self.heard_out: Final = LastWords()

    def metrics(self) -> Iterable[Metric]:
        strangers = self.strangers
        kinds = {"vouched_for": strangers.vouched_for, "stranger": strangers.strangers}
        yield gauges("bridge_sockets", "Open sockets; somebody vouches for them or not.", ("kind",), kinds)
        yield gauge("bridge_sockets_most", "Sockets that may be open.", strangers.most)
        ended = {reason: strangers.ended[reason] for reason in REASONS}
        yield counters("bridge_sockets_ended", "Sockets ended before their time.", ("reason",), ended)
