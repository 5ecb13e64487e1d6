"""One socket under our protocol, on a real uvicorn: every message in its turn."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.sockets.frame_checker import FrameChecker
from bridge.sockets.reader import Reader
from bridge.sockets.websocket_messages import Messages
from bridge.sockets.websocket_opening import WebSocketOpening
from bridge.sockets.websocket_protocol import WebSocketProtocol
from tests.bridge.broker.parts import until
from tests.bridge.sockets.websocket_server import (
    ANSWER_SECONDS,
    PATH,
    Guest,
    House,
    connected,
    echo,
    entered,
    flood,
    served,
)
from tests.end_to_end.raw import BINARY, CLOSE, CONTINUATION, HANDSHAKE, PING, PONG, TEXT, RawSocket, frame, request


async def test_who_is_answered_in_http_leaves_nothing_in_the_log(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def turning_away(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    async with served(turning_away, listener), connected(listener.getsockname()[1]) as stranger:
        await stranger.send(request(PATH, HANDSHAKE))
        assert (await stranger.rest(ANSWER_SECONDS)).startswith(b"HTTP/1.1 403 ")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def alive(*classes: type) -> list[str]:
    """The objects of these classes that there are, by their names."""
    return sorted(type(one).__name__ for one in gc.get_objects() if isinstance(one, classes))


async def test_nothing_is_kept_of_a_handshake_and_nothing_of_a_socket_that_is_gone(port: int, house: House) -> None:
    """Without the garbage collector: a socket that ends leaves no reference cycle."""
    gc.collect()
    gc.disable()
    try:
        before = alive(WebSocketOpening, Messages, FrameChecker, WebSocketProtocol, Reader)
        async with entered(port) as client:
            await client.send(frame(TEXT, b"one"))
            await until(lambda: house.guest.texts == ["one"])
            assert alive(WebSocketOpening, Messages, FrameChecker) == []
            await client.send(frame(TEXT, b"t", fin=False) + frame(PING, b"") + frame(CONTINUATION, b"wo"))
            await until(lambda: house.guest.texts == ["one", "two"])
            assert alive(FrameChecker) == []
        house.guest = Guest()
        await until(lambda: alive(WebSocketOpening, Messages, FrameChecker, WebSocketProtocol, Reader) == before)
    finally:
        gc.enable()


async def test_every_message_arrives_in_order(guest: RawSocket, house: House) -> None:
    await guest.send(b"".join(frame(TEXT, b"%d" % number) for number in range(200)))
    await until(lambda: len(house.guest.texts) == 200)
    assert house.guest.texts == [str(number) for number in range(200)]


async def test_what_is_said_before_the_handshake_is_over_is_heard_first(port: int, house: House) -> None:
    house.may_enter.clear()
    async with connected(port) as eager:
        early = frame(TEXT, b"one") + frame(TEXT, b"tw", fin=False) + frame(0, b"o") + frame(BINARY, b"three")
        await eager.send(request(PATH, HANDSHAKE))
        await house.knocked.wait()
        await eager.send(early)
        await asyncio.sleep(0.05)
        assert house.guest.texts == []
        house.may_enter.set()
        assert (await eager.answer()).status == 101
        await eager.send(frame(TEXT, b"four"))
        await until(lambda: len(house.guest.texts) == 4)
        assert house.guest.texts == ["one", "two", "three", "four"]


async def test_who_talks_and_leaves_before_the_handshake_is_over_is_lost_at_once(port: int, house: House) -> None:
    house.may_enter.clear()
    async with connected(port) as hasty:
        await hasty.send(request(PATH, HANDSHAKE))
        await house.knocked.wait()
        await hasty.send(frame(TEXT, b"hello"))
    await asyncio.sleep(0.05)
    house.may_enter.set()
    await until(house.guest.over.is_set, 5)
    assert house.guest.losses == 1


async def test_a_message_that_fails_is_counted_and_logged_and_the_connection_lives(
    guest: RawSocket, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebSocketProtocol, "errors", 0)
    with capture_logs() as logs:
        await guest.send(frame(TEXT, b"fail") + frame(TEXT, b"fa", fin=False) + frame(0, b"il") + frame(TEXT, b"good"))
        await until(lambda: house.guest.texts == ["good"])
    assert [line["event"] for line in logs] == ["message_failed"] * 2
    assert type(house.guest.wire).errors == 2
    assert WebSocketProtocol.errors == 2  # which the metrics read: a server's class is one of its subclasses


async def test_where_binary_is_never_text_it_is_refused(guest: RawSocket, house: House) -> None:
    house.guest.reads_binary = False
    await guest.send(frame(TEXT, b"text") + frame(BINARY, b"binary"))
    await until(lambda: house.guest.refusals)
    assert (house.guest.texts, house.guest.refusals) == (["text"], ["binary_not_supported"])


async def test_a_ping_is_answered_and_a_pong_that_nobody_asked_for_is_a_sign_of_life(
    guest: RawSocket, house: House
) -> None:
    await guest.send(frame(PING, b"are you there"))
    assert await guest.receive() == (PONG, b"are you there")
    await guest.send(frame(PONG, b"unasked"))
    await until(lambda: house.guest.pongs == 1)


async def test_a_frame_may_come_byte_by_byte(guest: RawSocket, house: House) -> None:
    for byte in frame(TEXT, b"x" * 300) + frame(PING, b"") + frame(TEXT, b"short"):
        await guest.send(bytes([byte]))
        await asyncio.sleep(0)
    await until(lambda: house.guest.texts == ["x" * 300, "short"])
    assert await guest.receive() == (PONG, b"")


async def test_without_a_connection_attached_each_message_is_asked_for(listener: socket.socket) -> None:
    async with served(echo, listener), entered(listener.getsockname()[1]) as client:
        await client.send(frame(TEXT, b"one") + frame(BINARY, b"two") + frame(PING, b"") + frame(TEXT, b"three"))
        said = [(TEXT, b"one"), (TEXT, b"two"), (PONG, b""), (TEXT, b"three")]
        assert [await client.receive() for _ in said] == said
        await client.send(frame(CLOSE, (1000).to_bytes(2)))
        assert await client.close_code() == 1000


async def test_frames_that_come_before_the_answer_wait_unread(port: int, house: House) -> None:
    house.may_enter.clear()
    async with connected(port) as client:
        await client.send(request(PATH, HANDSHAKE))
        await house.knocked.wait()
        await client.send(frame(PING, b"early") + frame(TEXT, b"early"))
        await asyncio.sleep(0.05)  # nothing happens, and there is no event for that
        assert house.guest.texts == []
        house.may_enter.set()
        assert (await client.answer()).status == 101
        assert await client.receive() == (PONG, b"early")
        await until(lambda: house.guest.texts == ["early"])


async def test_a_flood_is_refused_and_ended(house: House, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.budget.accounts.REFUSED_AFTER_SECONDS", 0.2)
    monkeypatch.setattr("bridge.budget.accounts.PATIENCE_SECONDS", 0.4)
    house.guest.refuse = house.guest.refusals.append  # type: ignore[assignment, method-assign]
    async with entered(port) as client:
        flooding = asyncio.create_task(flood(client, (frame(TEXT, b"x") + frame(PING, b"")) * 1_000))
        assert await client.close_code() == 4429
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
    assert set(house.guest.refusals) == {"rate_limited"}
    assert len(house.guest.refusals) > 1
