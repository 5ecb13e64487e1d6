"""One event stream: what it is sent, from its first words to its last. It knows no HTTP, and whom it belongs to.

The stream begins with the time after which its client shall return. Each event is a message, and has the position with
which the client can do so. The event `gap` says that something may be missing, `end` why the stream ends: their data
are messages, too.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from bridge.broker.message import BusMessage
from bridge.budget.drain import OutboxBounds
from bridge.budget.outboxes import Outboxes
from bridge.continuity.part import Continuity, Return
from bridge.continuity.positions import cursor_at
from bridge.messaging.connections import RETRY_AFTER_MS
from bridge.messaging.gaps import is_gap
from bridge.sockets.event_outbox import EventOutbox
from bridge.sockets.server_sent_events import KEEP_ALIVE, advice, event
from v3.refusals import REFUSALS, error

LOOKS_PER_KEEP_ALIVE: Final = 15
RETRY_MS: Final = 1_000
"""So soon a client shall return whose stream ends without a word."""
FRAME_BYTES: Final = 64
"""About as much as an event has beside its message."""
LEFT: Final = "left"
"""Why a stream ended that its client left. All other reasons are codes of the closed list."""

Heard = tuple[int, BusMessage]
"""A position, and the message with which it was reached."""


class EventStream:
    """One stream. `lost` must be called when it is over, however it ends."""

    def __init__(
        self,
        channels: Sequence[bytes],
        since: str,
        returning: Return | None,
        continuity: Continuity,
        bounds: OutboxBounds,
        outboxes: Outboxes,
        abort: Callable[[], None],
    ) -> None:
        """`returning`: its client comes back, `since` its position. `abort` ends its socket at once."""
        slow = partial(self.end, "slow_consumer", drops_rest=True)
        self.outbox: Final[EventOutbox[Heard | bytes]] = EventOutbox(_framed, bounds, outboxes, slow, abort)
        self._continuity = continuity
        self._channels = continuity.in_order(channels, self._hear)
        self._since = since
        self._returning = returning
        self._looks = 0
        self.ended_with = LEFT
        """Why it has ended, if it has."""

    def begin(self) -> None:
        """Say what was missed, and from now on what is said."""
        missed: Sequence[BusMessage] | None = ()
        if self._returning is None:
            self._put(advice(cursor_at(0), RETRY_MS) + b"\n")  # what it misses before it has a position, it is told
        else:
            self._put(advice(retry_ms=RETRY_MS) + b"\n")
            missed = self._continuity.missed(self._returning)
            if missed is None:
                self._put(event(self._continuity.gap_since(self._since).line, "gap"))
        self._channels.begin(missed or ())
        self._note_position()

    def look(self) -> None:
        """A second has passed."""
        self._looks += 1
        if self._looks % LOOKS_PER_KEEP_ALIVE == 0:
            self._put(KEEP_ALIVE)
            self._note_position()

    def end(self, code: str, *, drops_rest: bool = False) -> None:
        """End the stream with this code. What waits is sent before, or dropped. Only the first call counts."""
        if self.ended_with != LEFT:
            return
        self.ended_with = code
        self._channels.end()
        retry_ms = random.randint(*RETRY_AFTER_MS)  # noqa: S311 - jitter
        told = error(REFUSALS[code], "", self._continuity.now(), extra={"retry_after_ms": retry_ms})
        self.outbox.finish(event(told, "end", retry_ms=retry_ms), drops_rest=drops_rest)

    def lost(self) -> None:
        """The client is gone, or everything was sent; harmless when repeated."""
        self._channels.end()
        self.outbox.lost()
        if self._returning is not None:
            self._returning.cancel()

    def _note_position(self) -> None:
        """So that a client that hears nothing for long can return, too."""
        if self._continuity.is_kept:
            self._channels.find_position(lambda: self._put(advice(cursor_at(self._channels.position)) + b"\n"))

    def _hear(self, position: int, message: BusMessage) -> None:
        self.outbox.put((position, message), len(message.line) + FRAME_BYTES)

    def _put(self, words: bytes) -> None:
        self.outbox.put(words, len(words))


def _framed(item: Heard | bytes) -> bytes:
    if isinstance(item, bytes):
        return item
    position, message = item
    known = cursor_at(position) if position else ""  # else its client would forget the one with which it came
    return event(message.line, "gap" if is_gap(message) else "", known)
