"""What a socket does when a ping is due. When that is, and what real sockets do, is in other tests."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bridge.sockets.framing import PING_FRAME
from bridge.sockets.keepalive import Keepalive
from bridge.sockets.websocket_pings import WebSocketPings
from tests.bridge.sockets.websocket_server import Guest


class Socket(WebSocketPings):
    """A socket that notes what it writes, and its end."""

    keepalive = Keepalive(0)

    def __init__(self) -> None:
        super().__init__(cast(asyncio.Transport, self))
        self.written: list[bytes] = []
        self.ends = 0
        self._carried = self.guest = cast(Any, Guest())

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def _end_silent(self) -> None:
        self.ends += 1


async def test_the_first_ping_tells_nobody_anything() -> None:
    one = Socket()
    one.ping()
    assert (one.written, one.guest.pongs, one.ends) == ([PING_FRAME], 0, 0)


async def test_a_pong_is_told_at_once_and_not_again() -> None:
    one = Socket()
    one.ping()
    one._is_alive = True
    one._tell_alive()
    assert one.guest.pongs == 1
    one.ping()
    assert (one.written, one.guest.pongs) == ([PING_FRAME] * 2, 1)


async def test_any_other_frame_is_told_when_the_next_ping_is_due() -> None:
    one = Socket()
    one.ping()
    one._is_alive = True
    one.ping()
    assert (one.guest.pongs, one.ends) == (1, 0)


async def test_nothing_at_all_is_the_end() -> None:
    one = Socket()
    one.ping()
    one.ping()
    assert (one.written, one.ends) == ([PING_FRAME], 1)


async def test_it_is_pinged_from_its_start_to_its_end() -> None:
    one = Socket()
    one._start_keepalive()
    assert any(one in beat for beat in one.keepalive._beats)
    one._stop_keepalive()
    one._stop_keepalive()
    assert not any(one in beat for beat in one.keepalive._beats)
