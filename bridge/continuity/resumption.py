"""Lets a client that has come back hear what it missed, before anything new. It decides nothing: `missed.py` does.

What is read for it is there before its handshake is accepted. Then, in one turn of the event loop, the client is sent
what it missed, is told whether that is everything, and joins the listeners. So nothing can come between.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bridge.broker.message import BusMessage
from bridge.continuity.missed import missed_since
from bridge.continuity.positions import cursor_of, time_of
from bridge.continuity.tails import Tail, Tails

Watermark = Callable[[Sequence[bytes], Callable[[int], None]], None]
"""Called with channels and a callback, which gets a number once everything up to it has been handed to their
listeners; 0 if that is not known."""


class Resumed(NamedTuple):
    """What a client that has come back is told: whether it gets all that it missed, those messages, and its cursor.

    The cursor is `None` where it is not known. `since`: the time of the earliest position in the cursor that the client
    has given, as ISO 8601; empty where it gave none.
    """

    is_complete: bool
    messages: Sequence[BusMessage]
    cursor: str | None
    since: str = ""


NOTHING: Final = Resumed(is_complete=False, messages=(), cursor=None)


class Resumption:
    """One client that comes back."""

    def __init__(
        self, since: str, channels: Mapping[str, bytes], tails: Tails, watermark: Watermark, seconds: int
    ) -> None:
        """`since`: as the client said it. `channels`: by their kind. `seconds`: how long histories are kept."""
        self._since = since
        self._seconds = seconds
        self._tails = tails
        self._taken: Final[dict[str, tuple[bytes, Tail]]] = {
            kind: (channel, tails.take(channel)) for kind, channel in channels.items()
        }
        self._handed_on: Final[asyncio.Future[int]] = asyncio.get_running_loop().create_future()
        self._watermark = watermark

    async def wait(self) -> bool:
        """Return when its history is there, or cannot be had: whether it is there.

        Nor is it there if it was read later than what has been handed on: what is between would be heard twice. So that
        is asked last, however long a history has waited to be read.
        """
        await asyncio.gather(*(asyncio.shield(tail.is_over) for _, tail in self._taken.values()))
        self._watermark(tuple(channel for channel, _ in self._taken.values()), self._has_handed_on)
        watermark = await asyncio.shield(self._handed_on)
        histories = [tail.kept for _, tail in self._taken.values()]
        return watermark > 0 and all(kept is not None and kept.read_at <= watermark for kept in histories)

    def end(self) -> Resumed:
        """What the client is told now. It must join its listeners in the same turn of the event loop."""
        watermark = self._handed_on.result() if self._handed_on.done() else 0
        channels = {kind: tail.now(watermark) for kind, (_, tail) in self._taken.items()}
        self.cancel()
        whole = {kind: kept for kind, kept in channels.items() if kept is not None}
        if not watermark or len(whole) < len(channels):
            return NOTHING
        cursor = cursor_of([kept.read_at for kept in whole.values()])
        missed = missed_since(self._since, whole, self._seconds)
        messages = () if missed is None else missed.messages
        return Resumed(missed is not None, messages, cursor, time_of(self._since))

    def cancel(self) -> None:
        """Give back what it took; harmless when repeated."""
        while self._taken:
            self._tails.give_back(*self._taken.popitem()[1])

    def _has_handed_on(self, number: int) -> None:
        if not self._handed_on.done():
            self._handed_on.set_result(number)
