"""Repairs what was missed when the subscriber's link was lost: from the history of each channel, in order.

The listeners of a channel are told of a gap only where it cannot be proven that everything was found. Positions are
kept fresh by watermarks: now and then, and soon after a channel was subscribed.

The histories are read one after the other, while others go on speaking. What was said after the first one was read has
arrived on the new link, or will: it is not taken from a history, so that the order between channels is kept.

Bounded: reading takes at most `REPAIR_SECONDS`, `READ_TOGETHER` histories are asked for in one turn of the event loop,
and at most `MOST_BYTES` are handed on. Where that is not enough a gap is announced.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.awaited_replies import Done
from bridge.broker.batches import Batches
from bridge.broker.bus import Bus
from bridge.broker.history import READ, keys_to_read
from bridge.broker.intake import Intake
from bridge.broker.message import BusMessage
from bridge.broker.outage import Repaired
from bridge.broker.watermarks import Watermarks
from bridge.continuity.tails import kept_in

REPAIR_SECONDS: Final = 2.5
READ_TOGETHER: Final = 250
MOST_BYTES: Final = 33_554_432
SOON_SECONDS: Final = 0.05
"""So soon after a channel was subscribed its position is asked for."""
WATERMARK_SECONDS: Final = 5.0
"""Pause between two times that all positions are asked for."""


class Repair:
    """The repairs of one process."""

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        intake: Intake,
        watermarks: Watermarks,
        message: Callable[[bytes], BusMessage],
        say_gap: Callable[[Collection[bytes], float], None],
        seconds: int,
    ) -> None:
        """`say_gap` tells the listeners of some channels that they may have missed something in so many seconds."""
        self._bus = bus
        self._addresses = addresses
        self._intake, self._arrivals = intake, intake.arrivals
        self._watermarks = watermarks
        self._message = message
        self.announce: Final = say_gap
        self._seconds = seconds
        self._begin = 0
        """Since when histories have had no break, as it was known when everything was heard last; 0 if it is not."""
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Ask for the position of all channels every `WATERMARK_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(WATERMARK_SECONDS)
            self.look()

    def look_soon(self) -> None:
        """A channel was subscribed: ask for its position, with those of others that are subscribed meanwhile."""
        if self._timer is None and self._arrivals.has_young:
            self._timer = self._loop.call_later(SOON_SECONDS, self.look)

    def look(self) -> None:
        """Ask for the position of all channels."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watermarks.ask(partial(self._reached, self._arrivals.ask()))

    def _reached(self, asked: int, watermark: int) -> None:
        if watermark:
            self._arrivals.reach(watermark, asked)
            self._intake.caught_up(asked)

    def begin(self, done: Callable[[Repaired], None]) -> None:
        """Look for what was said after the positions of the channels, and call `done` once."""
        positions = {channel: self._arrivals.position(channel) for channel in self._arrivals}

        def found(repaired: Repaired) -> None:
            self._begin = finding.begin
            done(repaired)

        finding = _Finding(positions, self._begin, self._seconds, self._addresses, self._message, found)
        finding.timer = self._loop.call_later(REPAIR_SECONDS, finding.end)
        self._read(finding, list(positions))

    def begun(self, begin: int) -> None:
        """Histories have no break since this number."""
        self._begin = self._begin or begin

    def renumbered(self) -> None:
        """Redis has lost its data, and goes on: where histories begin will be told, and so will positions."""
        self._begin = 0
        self.look_soon()

    def _read(self, finding: "_Finding", channels: list[bytes]) -> None:
        for channel in channels[:READ_TOGETHER]:
            keys = keys_to_read(self._addresses, channel)
            READ.run(self._bus, keys, [finding.positions[channel], 0], finding.callback(channel))
        if len(channels) > READ_TOGETHER:
            self._loop.call_soon(self._read, finding, channels[READ_TOGETHER:])
        elif not channels:
            finding.end()


class _Finding:
    """What one repair has found so far. `begin`: since when histories have no break."""

    timer: asyncio.TimerHandle | None = None

    def __init__(
        self,
        positions: dict[bytes, int],
        begin: int,
        seconds: int,
        addresses: Addresses,
        message: Callable[[bytes], BusMessage],
        done: Callable[[Repaired], None],
    ) -> None:
        self.positions: Final = positions
        self.begin = self._known_begin = begin
        self._seconds = seconds
        self._addresses = addresses
        self._message = message
        self._done: Callable[[Repaired], None] | None = done
        self._unread = set(positions)
        self._unproven: set[bytes] = set()
        self._read_at: list[int] = []
        self._found: list[tuple[int, bytes, BusMessage]] = []
        self._bytes = 0

    def callback(self, channel: bytes) -> Done:
        return lambda reply: self._take(channel, reply)

    def _take(self, channel: bytes, reply: object) -> None:
        if self._done is None:
            return
        self._unread.discard(channel)
        if isinstance(reply, list):
            self._judge(channel, reply)
        else:
            self._unproven.add(channel)
        if not self._unread:
            self.end()

    def _judge(self, channel: bytes, reply: list[object]) -> None:
        """Take what was said on a channel since its position, if that is everything for certain."""
        kept, position = kept_in(reply, self._message), self.positions[channel]
        self.begin = max(self.begin, kept.begin)
        if 0 < self._known_begin < kept.begin:
            position = 0  # what somebody has said on another server was missed, also where the position is a later one
        self._bytes += sum(message.size_bytes for _, message in kept.messages)
        if position and kept.is_whole_since(position, self._seconds) and self._bytes <= MOST_BYTES:
            self._read_at.append(kept.read_at)
            self._found += [(number, channel, message) for number, message in kept.after(position)]
        else:
            self._unproven.add(channel)

    def end(self) -> None:
        """Tell what was found. What was not read by now counts as not proven."""
        done, self._done = self._done, None
        if done is None:
            return
        if self.timer is not None:
            self.timer.cancel()
        until = min(self._read_at, default=0)
        batches = Batches(self._addresses.kind_of)
        for number, channel, message in sorted(self._found, key=lambda found: found[:2]):
            if number <= until:
                batches.add(channel, message)
        done(Repaired(batches.all, self._unproven | self._unread))
