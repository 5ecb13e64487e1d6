"""Hears several channels in one order, that of the numbers, for who has one position on all. It knows no socket.

The hub delivers channel by channel, and the messages of a tenant when it is the tenant's turn. So what arrives here
waits until everything that has a lower number has come, too; only then is it heard. What was heard last is then the
position on all channels: whoever returns with it misses nothing, and hears nothing twice.

A message without a number, as other services say them, is heard after those that were said before it on its channel.

Bounded: what waits here has left the queues of its tenant, and those who follow it wait there.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter

from bridge.broker.message import BusMessage
from bridge.continuity.handed_on import HandedOn
from bridge.messaging.gaps import is_gap
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.renderers import is_for_v3

Take = Callable[[int, BusMessage], None]
"""Called with a number and a message."""


class _Ear:
    """One of the channels. To the hub it is a renderer: it takes what it is asked to render, and renders nothing."""

    __slots__ = ("_number", "_take")

    def __init__(self, take: Take, number: int) -> None:
        self._take = take
        self._number = number

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        for message in filter(is_for_v3, batch):
            self._number = message.number or self._number
            self._take(self._number, message)
        return b""


class OrderedChannels:
    """The channels of one listener. `position`: up to which number everything was heard; 0 while that is not known."""

    def __init__(self, channels: Sequence[bytes], hub: Hub, handed_on: HandedOn, hear: Take) -> None:
        """`hear` is called with each message, in order, and with the position after it."""
        self.position = 0
        self._channels = channels
        self._hub = hub
        self._handed_on = handed_on
        self._hear = hear
        self._ears: list[Listener] = []
        self._waiting: list[tuple[int, BusMessage]] = []
        self._is_settling = False
        self._last_gap: BusMessage | None = None

    def begin(self, missed: Sequence[BusMessage] = ()) -> None:
        """Hear what was missed, and from now on what is said."""
        latest = missed[-1].number if missed else 0
        for channel in self._channels:
            ear = Listener(_Ear(self._take, latest), _nothing, (channel,), None, "", "")
            self._ears.append(ear)
            self._hub.join(ear)
        for message in missed:
            self._take(message.number, message)

    def end(self) -> None:
        """Hear nothing more; harmless when repeated."""
        while self._ears:
            self._hub.leave(self._ears.pop())
        self._waiting.clear()

    def find_position(self, found: Callable[[], None]) -> None:
        """Call `found` once everything that was said until now is heard, and the position is that of now."""
        self._handed_on.ask(self._channels, partial(self._reached, found))

    def _reached(self, found: Callable[[], None], number: int) -> None:
        if number and self._ears:
            self._hear_until(number)
            found()

    def _take(self, number: int, message: BusMessage) -> None:
        if not self._ears:
            return
        if is_gap(message):
            if message is self._last_gap:  # each ear is told of it
                return
            self._last_gap = message
        self._waiting.append((number, message))
        self._settle_soon()

    def _settle_soon(self) -> None:
        """What arrived together is handed on in one turn of the event loop, or later, but not before its end."""
        if not self._is_settling:
            self._is_settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        latest = max((number for number, _ in self._waiting), default=0)
        self._handed_on.after_arrived(self._channels, partial(self._settled, latest))

    def _settled(self, number: int) -> None:
        self._is_settling = False
        self._hear_until(number)
        if self._waiting:
            self._settle_soon()

    def _hear_until(self, number: int) -> None:
        """Everything up to this number has come."""
        due = sorted((one for one in self._waiting if one[0] <= number), key=itemgetter(0))
        self._waiting = [one for one in self._waiting if one[0] > number]
        for each, message in due:
            self.position = max(self.position, each)
            self._hear(self.position, message)
        self.position = max(self.position, number)


def _nothing(_frames: bytes) -> None: ...
