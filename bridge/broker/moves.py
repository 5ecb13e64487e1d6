"""Who has moved from one Redis server to another, noted at the new one: so that each process learns what it missed.

What a process says at one server is not heard at another. So a process whose link led to another server notes where it
arrives, before anything counts as heard there, since when and until when it may have spoken elsewhere. Every process
reads the notes when it arrives, and once a second. They live for `APART_SECONDS`: who is between two links misses none.

Why nothing is missed: A speaks at X, B listens at Y, and later both are at Z. If A has come to Z since, its note is
there, and B reads it. If not, A was at Z all the while, so B has come, and announces that by itself. In both cases
`since` reaches back to the first move of either within `APART_SECONDS`: before that both were at one server.
This module knows no messages, and announces nothing.
"""

import re
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any, Final

from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.scripts import Script

APART_SECONDS: Final = 900.0
"""For so long two processes may be apart, as when a change of DNS reaches one of them late, and it is all announced."""
MOST_MOVES: Final = 256
"""When there are more notes, the oldest go; twice as many are remembered as read."""
TOKEN_BYTES: Final = 8
_WHICH: Final = pack("INFO", "server")
_NAME: Final = re.compile(rb"run_id:(\w+)")
_UNKNOWN: Final = b"?"
MOVES: Final = Script.in_file("bridge.broker", "moves")

Missed = Sequence[tuple[float, float]]
"""Since when and until when something may have been missed, by the event loop's time."""


class Moves:
    """The moves of one process, and the notes that it has read. `probe` begins the name of their key."""

    def __init__(self, bus: Bus, probe: bytes, now: Callable[[], float]) -> None:
        self._bus = bus
        self._key = f"{probe.decode()}:moves"
        self._now = now
        self._server = b""
        self._token = ""
        self._has_left = False
        self._born_at = self._apart_since = self._moved_at = now()
        self._has_moved = False
        self._read: dict[bytes, None] = {}
        bus.back.add(self._begin)

    def leave(self) -> None:
        """The links lead to different servers. This is needed only where Redis does not say which server it is."""
        self._has_left |= self._server == _UNKNOWN

    def ask(self, certain_until: float, done: Callable[[Missed], None]) -> None:
        """Note that this process has moved, if it has, and read all notes. Call it once Redis has answered on the link.

        `certain_until`: until then all was heard. `done` gets what may have been missed, according to the notes that
        were not read before. It is not called if Redis does not answer.
        """
        asked_at, token = self._now(), self._token if self._has_left else ""
        since = min(certain_until, self._apart_since) if self._has_moved and self._is_lately_apart() else certain_until
        ago = [round((asked_at - at) * 1_000) for at in (since, self._bus.lost_at)]
        arguments: list[str | int] = [token, *ago, round(APART_SECONDS * 1_000), MOST_MOVES]

        def answered(notes: Any) -> None:
            if notes is not None:
                moved = self._moved(token.encode(), since)
                done([*moved, *self._unread(notes, asked_at)] if isinstance(notes, list) else moved)

        MOVES.run(self._bus, [self._key], arguments, answered)

    def _begin(self) -> None:
        """The bus has a new link. As replies keep order, it is known where it leads before anything counts as said."""
        self._token = token_hex(TOKEN_BYTES)
        self._bus.command(_WHICH, self._leads_to)

    def _leads_to(self, reply: Any) -> None:
        if reply is None:
            return
        found = _NAME.search(reply) if isinstance(reply, bytes) else None
        server = found[1] if found else _UNKNOWN
        self._has_left |= self._server not in (b"", server)
        self._server = server

    def _is_lately_apart(self) -> bool:
        return self._now() - self._moved_at < APART_SECONDS

    def _moved(self, token: bytes, since: float) -> list[tuple[float, float]]:
        """This process has noted its move, unless the token is empty; what it missed itself."""
        if not token or token in self._read:
            return []
        self._has_left, self._has_moved = False, True
        self._moved_at, self._apart_since = self._now(), since
        self._remember(token)
        return [(since, self._now())]

    def _unread(self, notes: Sequence[Any], asked_at: float) -> Missed:
        """What the new notes say, reaching back to the last move of this process itself, or to its start."""
        missed = []
        for token, since_ms, until_ms in zip(notes[::3], notes[1::3], notes[2::3], strict=True):
            since, until = asked_at - since_ms / 1_000, self._now() - until_ms / 1_000
            if token not in self._read and until > self._born_at:
                missed.append((min(since, self._apart_since) if self._is_lately_apart() else since, until))
            self._remember(token)
        return missed

    def _remember(self, token: bytes) -> None:
        self._read[token] = None
        while len(self._read) > 2 * MOST_MOVES:
            del self._read[next(iter(self._read))]
