"""Since when messages may have been missed, until that is repaired or announced. It knows no link and no message.

What was missed is repaired from the history where there is one; what cannot be proven to be repaired is announced.
Without a history it is announced at once, to everybody.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bridge.broker.intake import Intake
from bridge.broker.message import BusMessage
from bridge.system.observers import Observers

COVERED_SECONDS: Final = 1.0
"""A gap that began at most so much later is announced already: `from` is said to be earlier by more than that."""
WITHHOLD_SECONDS: Final = 3.0
"""So long what arrives on a new link waits for what was said before it; then it is handed on, and a gap announced."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was found of what was missed, in order; and where it is not proven that this is everything."""

    batches: Sequence[tuple[bytes, Sequence[BusMessage]]] = ()
    unproven: Collection[bytes] = ()


class Repair(Protocol):
    """Finds what was missed."""

    def begin(self, done: Callable[[Repaired], None]) -> None:
        """Look for what was said after the positions of the channels, and call `done` once, in a few seconds."""

    def announce(self, channels: Collection[bytes], seconds: float) -> None:
        """Tell the listeners of these channels that they may have missed something in so many seconds."""


class Outage:
    """The outages of one subscriber."""

    def __init__(self, intake: Intake, is_linked: Callable[[], bool], gap: Callable[[float], None]) -> None:
        """`is_linked`: whether every channel is heard on the link that is open. `gap` tells everybody of a gap."""
        self._intake = intake
        self._is_linked = is_linked
        self._gap = gap
        self._loop = asyncio.get_running_loop()
        self._missed_since: float | None = None
        self._announced = (0.0, 0.0)
        self._serial = 0
        """Of the link. What is found for another one is not used."""
        self._is_repairing = self._is_beyond_repair = False
        self.repair: Repair | None = None
        self.is_trusted: Callable[[], bool] = lambda: True
        """Whether this link leads to the right server. While it does not, nothing counts as heard."""
        self.missing: Final = Observers[[bytes]]()
        """Called with a channel of which something is missed for good, before that is announced."""
        self.whole: Final = Observers[[]]()
        """Called when everything is heard again, and what was missed is repaired or announced."""
        self.gaps = 0
        self.repaired = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is missed that was not announced."""
        return self._missed_since is None

    def doubt(self, since: float) -> None:
        """Messages may be missed since then, by the time of the event loop."""
        self._missed_since = since if self._missed_since is None else min(self._missed_since, since)

    def has_announced(self, since: float, until: float) -> bool:
        """Whether the last outage that is over was this one."""
        announced_since, announced_until = self._announced
        return announced_since - COVERED_SECONDS <= since and until <= announced_until

    def lost(self, certain_until: float) -> None:
        """The link is lost; until then everything was heard."""
        self._serial += 1
        self._is_repairing = False
        self.doubt(certain_until)
        if self.repair is not None:
            self._intake.drop()

    def opened(self) -> None:
        """There is a new link."""
        if self._intake.is_withholding:
            self._loop.call_later(WITHHOLD_SECONDS, self._give_up, self._serial)

    def end_if_whole(self) -> None:
        """Repair or announce what may have been missed, if there is something, and everything is heard again."""
        if self._missed_since is None or self._is_repairing or not self._is_whole():
            return
        if self.repair is None or self._is_beyond_repair:
            seconds = self._end(self._missed_since)
            self._miss(self._intake.arrivals)
            self._gap(seconds)
            self.whole()
        else:
            self._is_repairing = True
            self._intake.withhold()
            serial = self._serial
            self.repair.begin(lambda repaired: self._repaired(serial, repaired))

    def _is_whole(self) -> bool:
        return self._is_linked() and self.is_trusted()

    def _repaired(self, serial: int, repaired: Repaired) -> None:
        if serial != self._serial or self._missed_since is None or self.repair is None:
            return
        self._is_repairing = False
        since, is_whole = self._missed_since, self._is_whole()
        for channel, batch in repaired.batches:
            self._intake.hand_on_found(channel, batch)
        unproven = {*repaired.unproven, *self._intake.left_out}
        seconds = self._end(since) if is_whole else self._loop.time() - since
        if unproven:
            self._miss(unproven)
            self.repair.announce(unproven, seconds)
        else:
            self.repaired += 1
        self._intake.release()
        if is_whole:
            self.whole()

    def _miss(self, channels: Iterable[bytes]) -> None:
        self.gaps += 1
        for channel in channels:
            self.missing(channel)

    def _end(self, since: float) -> float:
        """It is over; returns how many seconds it was."""
        self._announced = since, self._loop.time()
        self._missed_since, self._is_beyond_repair = None, False
        return self._announced[1] - since

    def _give_up(self, serial: int) -> None:
        """What has arrived on this link has waited long enough."""
        if serial == self._serial and not self._is_repairing and self._intake.is_withholding:
            self._is_beyond_repair = True
            self._intake.release()
