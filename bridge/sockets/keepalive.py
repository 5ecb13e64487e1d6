"""Pings the open WebSockets of one process, and finds those whose clients are gone. One timer for all of them.

Each socket is pinged once in `seconds`. One of which nothing has arrived from one ping to the next is silent: its
client, or the way to it, is gone. Any frame is as good as a pong: who speaks is alive.

Bounded: a socket has one place here while it is open. In one turn of the loop at most `AT_ONCE` are pinged.
"""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, Protocol

BEATS: Final = 20
"""In so many parts are the sockets divided: those that came at about the same time are pinged together."""
AT_ONCE: Final = 250


class Pinged(Hashable, Protocol):
    """An open socket."""

    def ping(self) -> None:
        """Send a ping, or end the socket if nothing has arrived since the last one."""


Beat = dict[Pinged, None]
"""The sockets that are pinged together. One that ends takes itself out."""


class Keepalive:
    """The sockets of one process, pinged once in `seconds`; never if that is 0."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._beats: Final[Sequence[Beat]] = [{} for _ in range(BEATS)]
        self._now = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, one: Pinged) -> Beat:
        """Ping a socket from now on, the first time in `seconds`. It ends by leaving the beat that is returned."""
        beat = self._beats[self._now - 1]
        beat[one] = None
        if self._timer is None and self._seconds:
            self._await_next()
        return beat

    def _await_next(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds / BEATS, self._next)

    def _next(self) -> None:
        self._now = (self._now + 1) % BEATS
        self._timer = None
        if any(self._beats):
            self._await_next()
        beat = self._beats[self._now]
        self._ping(beat, list(beat))

    def _ping(self, beat: Beat, those: list[Pinged]) -> None:
        for one in those[:AT_ONCE]:
            if one in beat:  # it may have ended while others had their turn
                one.ping()
        if len(those) > AT_ONCE:
            asyncio.get_running_loop().call_soon(self._ping, beat, those[AT_ONCE:])
