"""Up to which number everything has arrived here: asked of Redis, and answered over the subscriber's own link.

Redis is asked for its time, and says a mark right after that, on a channel on which this link alone listens. When the
mark arrives, everything with a number up to that time has arrived before it. Nothing of it reaches a client.

Bounded: all who ask in one turn of the event loop share one mark. While the link is not whole they wait, and no longer
than it takes the bus to notice that Redis does not answer. When `MOST_UNDER_WAY` marks wait, whoever asks is told at
once that it cannot be known.
"""

from collections.abc import Callable
from typing import Final

from bridge.broker.addresses import Addresses, number_in
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.subscriber import Subscriber

Reached = Callable[[int], None]
"""Called with the number; with 0 if Redis cannot be asked."""
MOST_UNDER_WAY: Final = 1_000
DAY_MICROSECONDS: Final = 86_400_000_000
_TIME: Final = pack("TIME")


class Watermarks:
    """The marks of one process."""

    def __init__(self, bus: Bus, subscriber: Subscriber, addresses: Addresses) -> None:
        self._bus = bus
        self._subscriber = subscriber
        self._last_number: Final = pack("GET", addresses.last_number)
        self._asking: list[Reached] = []
        self._under_way: dict[int, _Mark] = {}
        self._serial = 0
        subscriber.notices.marked.add(self._arrived)
        subscriber.outage.whole.add(self._ask_again)

    def ask(self, reached: Reached) -> None:
        """Call `reached` once everything up to a number of this moment has arrived."""
        if not self._asking:
            self._bus.at_end_of_turn(self._ask)
        self._asking.append(reached)

    def _ask(self) -> None:
        asking, self._asking = self._asking, []
        if len(self._under_way) >= MOST_UNDER_WAY:
            _Mark(asking).tell()
            return
        self._serial += 1
        mark = self._under_way[self._serial] = _Mark(asking)
        self._bus.command(self._last_number, mark.note_last)
        self._bus.command(_TIME, mark.note_time)
        self._say(self._serial)

    def _say(self, serial: int) -> None:
        command = self._subscriber.notices.mark(b"%d" % serial)
        if command is not None and self._subscriber.is_up:
            self._bus.command(command, lambda reply: self._said(serial, reply))
        elif not self._bus.is_up:
            self._said(serial, None)

    def _said(self, serial: int, reply: object) -> None:
        """The mark was said, and what was asked before it is answered; else nobody waits for it longer."""
        mark = self._under_way.get(serial)
        if mark is None:
            return
        if not isinstance(reply, int):
            mark.number, mark.has_arrived = 0, True
        mark.is_said = True
        self._tell(serial, mark)

    def _arrived(self, text: bytes) -> None:
        mark = self._under_way.get(int(text))
        if mark is not None and self._subscriber.is_up:
            mark.has_arrived = True
            self._tell(int(text), mark)

    def _tell(self, serial: int, mark: "_Mark") -> None:
        """Which of the two links is read first is not known."""
        if mark.is_said and mark.has_arrived:
            del self._under_way[serial]
            mark.tell()

    def _ask_again(self) -> None:
        """The link is whole again: what was said on the one before may never arrive."""
        for serial in list(self._under_way):
            self._say(serial)


class _Mark:
    """One mark that is under way, and who waits for it."""

    __slots__ = ("_waiting", "has_arrived", "is_said", "number")

    def __init__(self, waiting: list[Reached]) -> None:
        self._waiting = waiting
        self.number = 0
        self.is_said = self.has_arrived = False

    def note_last(self, reply: object) -> None:
        self.number = number_in(reply) or 0

    def note_time(self, reply: object) -> None:
        """A last number of days ahead is what another program has written: the scripts pass it over, too."""
        if isinstance(reply, list):
            now = int(reply[0]) * 1_000_000 + int(reply[1])
            self.number = self.number if now < self.number <= now + DAY_MICROSECONDS else now

    def tell(self) -> None:
        for reached in self._waiting:
            reached(self.number)
