"""What is asked for before a connection is attached."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.budget.accounts import Holder
from bridge.sockets.departure import Departure
from bridge.sockets.websocket_messages import Messages
from bridge.sockets.websocket_protocol import WebSocketProtocol


class Socket:
    """It notes whether it may be read, and how it was closed."""

    def __init__(self) -> None:
        self.may_read = False
        self.closes: list[tuple[int, str]] = []

    def read_on(self) -> None:
        self.may_read = True

    def begin_close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))


def messages() -> tuple[Messages, Socket, list[str]]:
    socket, departure, gone = Socket(), Departure(), list[str]()
    departure.when_gone(lambda: gone.append("gone"))
    return Messages(cast(WebSocketProtocol, socket), Holder(), departure), socket, gone


async def asked(one: Messages) -> asyncio.Task[dict[str, Any]]:
    asking = asyncio.create_task(one.next())
    await asyncio.sleep(0)
    return asking


async def test_a_message_is_read_when_it_is_asked_for_and_no_other() -> None:
    one, socket, _ = messages()
    may_read = [socket.may_read]
    asking = await asked(one)
    may_read.append(socket.may_read)
    one.receive("hi")
    assert [*may_read, socket.may_read] == [False, True, False]
    assert await asking == {"type": "websocket.receive", "text": "hi"}


async def test_whoever_waits_no_longer_has_nothing_read() -> None:
    one, socket, _ = messages()
    asking = await asked(one)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not socket.may_read


async def test_that_a_client_is_gone_is_told_at_once_and_ever_after() -> None:
    one, _, gone = messages()
    asking = await asked(one)
    one.lost()
    assert ((await asking)["type"], gone) == ("websocket.disconnect", ["gone"])
    assert (await one.next())["type"] == "websocket.disconnect"


@pytest.mark.parametrize(("code", "close"), [("rate_limited", 1008), ("binary_not_supported", 1003)])
def test_who_is_refused_is_closed(code: str, close: int) -> None:
    one, socket, _ = messages()
    one.refuse(code)
    assert socket.closes == [(close, code)]
