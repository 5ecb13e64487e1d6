"""Hands on what has arrived, or withholds it until what was said before it is there. It knows no link and no Redis.

Bounded: at most `MOST_BYTES` are withheld. What is more is dropped, and the channel counts as one on which something
was missed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from bridge.broker.arrivals import Arrivals
from bridge.broker.message import BusMessage, last_number

Deliver = Callable[[bytes, Sequence[BusMessage]], None]
MOST_BYTES: Final = 33_554_432

log = structlog.get_logger(__name__)


class Intake:
    """The way of one subscriber's messages to its process."""

    def __init__(self, deliver: Deliver, rejected: Counter[str]) -> None:
        """`rejected` counts, as `undeliverable`, messages that could not be handed on."""
        self._deliver = deliver
        self._rejected = rejected
        self.arrivals: Final = Arrivals()
        self._withheld: list[tuple[bytes, Sequence[BusMessage]]] | None = None
        self._withheld_bytes = 0
        self._found: set[tuple[bytes, int]] = set()
        """Channel and number of what was handed on before it has arrived, which it may still do."""
        self._released_after = 0
        self.left_out: Final[set[bytes]] = set()
        """Channels of which something was dropped since it began to withhold."""

    @property
    def is_withholding(self) -> bool:
        return self._withheld is not None

    def take(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """A batch has arrived."""
        if self._withheld is None:
            self._hand_on_new(channel, batch)
            return
        self._withheld_bytes += sum(message.size_bytes for message in batch)
        if self._withheld_bytes > MOST_BYTES:
            self.left_out.add(channel)
        else:
            self._withheld.append((channel, batch))

    def hand_on(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Hand on a batch at once."""
        self.arrivals.note(channel, last_number(batch))
        try:
            self._deliver(channel, batch)
        except Exception:
            self._rejected["undeliverable"] += len(batch)
            log.exception("batch_undeliverable", channel=channel.decode(errors="replace"))

    def hand_on_found(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Hand on a batch that was found elsewhere. It may still arrive."""
        self._found.update((channel, message.number) for message in batch)
        self.hand_on(channel, batch)

    def withhold(self) -> None:
        """Withhold what arrives from now on."""
        if self._withheld is None:
            self._withheld = []

    def drop(self) -> None:
        """Drop what is withheld, which was said on a link that is lost, and withhold what arrives on the next."""
        self._withheld, self._withheld_bytes = [], 0
        self._found.clear()
        self.left_out.clear()

    def release(self) -> None:
        """Hand on what was withheld."""
        withheld, self._withheld = self._withheld or [], None
        self._withheld_bytes, self._released_after = 0, self.arrivals.asked
        self.left_out.clear()
        for channel, batch in withheld:
            self._hand_on_new(channel, batch)

    def caught_up(self, asked: int) -> None:
        """The watermark is there that was asked for as this one, and so is what was said before."""
        if asked > self._released_after:
            self._found.clear()

    def _hand_on_new(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        if self._found:
            batch = [message for message in batch if (channel, message.number) not in self._found]
        if batch:
            self.hand_on(channel, batch)
