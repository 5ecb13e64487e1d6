"""Deadline for a peer to read a response: one that reads nothing for `STUCK_SECONDS` is aborted. No other rules.

Bytes in the kernel's send buffer count as unread: while that buffer empties, our own buffer may show no progress for
longer than the deadline.
"""

import asyncio
import fcntl
import struct
import termios
from collections import Counter
from typing import Final

STUCK_SECONDS: Final = 10.0


class ResponseDeadline:
    """Watches one transport. When it is aborted, `ended["unread"]` counts it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, ended: Counter[str]) -> None:
        self._loop = loop
        self._transport = transport
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """From now on the peer must read some of what was written every `STUCK_SECONDS`, until all is read."""
        self.end()
        if self._transport.get_write_buffer_size():
            self._timer = self._loop.call_later(STUCK_SECONDS, self._look, self._left())

    def end(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, before: int) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() and self._left() >= before:
            self._ended["unread"] += 1
            self._transport.abort()
        else:
            self.watch()

    def _left(self) -> int:
        return self._transport.get_write_buffer_size() + _in_the_kernel(self._transport)


def _in_the_kernel(transport: asyncio.Transport) -> int:
    handle = transport.get_extra_info("socket")
    try:
        return int(struct.unpack("i", fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, AttributeError):
        return 0  # the socket is closed, or this operating system has no TIOCOUTQ
