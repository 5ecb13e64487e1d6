"""An event loop whose clock skips the time in which nothing happens, so that a minute of waiting takes no time.

What it waits for otherwise comes from one Redis, directly or through proxies on this loop. Before the clock skips, that
Redis is asked whether it has answered everything. So what happens, and in which order, is the same each time for the
same `chance`: which of several things that have arrived is read first, and how late. Must never be used where a thread
or another server is waited for: its clock would run on meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import socket
from typing import Any, Final

PINGS: Final = 2
"""What was there when the first was answered is answered before the second."""
PONG: Final = b"+PONG\r\n"
LOOKS: Final = 0.1
"""How often it is looked whether something has arrived while there is something to do."""


class _Skipping(selectors.DefaultSelector):
    """A selector that does not wait, but counts for how many seconds it would have."""

    def __init__(self, redis_port: int) -> None:
        super().__init__()
        self.skipped_seconds = 0.0
        self.chance = random.Random(0)
        self._redis = socket.create_connection(("127.0.0.1", redis_port))
        self._redis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def select(self, timeout: float | None = None) -> Any:
        is_busy = timeout is not None and timeout <= 0
        if is_busy and self.chance.random() > LOOKS:
            return []
        self._let_redis_answer()
        found = super().select(None if timeout is None else 0)
        self.chance.shuffle(found)
        if timeout is not None and not found:
            self.skipped_seconds += max(timeout, 0)
        return found

    def _let_redis_answer(self) -> None:
        for _ in range(PINGS):
            self._redis.sendall(b"PING\r\n")
            answer = b""
            while len(answer) < len(PONG):
                answer += self._redis.recv(len(PONG) - len(answer))

    def close(self) -> None:
        self._redis.close()
        super().close()


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop. Its time begins with 0."""

    def __init__(self, redis_port: int) -> None:
        self._skipping = _Skipping(redis_port)
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped_seconds

    def begin_anew(self, chance: int) -> None:
        """Do what follows as for this chance."""
        self._skipping.chance.seed(chance)
