"""A WebSocket among the sockets that are counted: a stranger until somebody vouches for it, and late if nobody does."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from bridge.sockets import websocket_opening
from bridge.sockets.ports import ASGI_EXTENSION, vouch
from bridge.sockets.strangers import Strangers
from tests.bridge.broker.parts import until
from tests.bridge.sockets.protocols import protocols
from tests.bridge.sockets.websocket_server import Guest
from tests.end_to_end.raw import HANDSHAKE, TEXT, RawSocket, frame, request


class House:
    """A server whose application does with each handshake what its path says, and its sockets."""

    def __init__(self) -> None:
        self.strangers = Strangers(100, 100, 3)
        self.listener = socket.create_server(("127.0.0.1", 0))
        classes = protocols(self.strangers)
        config = uvicorn.Config(self, lifespan="off", log_config=None, timeout_graceful_shutdown=1, **classes)
        self.server = uvicorn.Server(config)
        self.guest = Guest()
        self.asked: list[str] = []
        self.is_over = asyncio.Event()
        self.opened: list[RawSocket] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/vouched":
            vouch(scope)
        if scope["path"] in ("/accepted", "/attached"):
            await send({"type": "websocket.accept"})
        if scope["path"] == "/attached":
            self.guest.wire = scope["extensions"][ASGI_EXTENSION]
            self.guest.wire.attach(self.guest)
        self.asked.append(scope["path"])
        await self.is_over.wait()

    async def open(self) -> RawSocket:
        self.opened.append(RawSocket(*await asyncio.open_connection(*self.listener.getsockname()[:2])))
        return self.opened[-1]

    async def knock(self, path: str, one: RawSocket | None = None) -> RawSocket:
        """A handshake with which the application has done all that it will."""
        one = one or await self.open()
        before = len(self.asked)
        await one.send(request(path, HANDSHAKE))
        await until(lambda: len(self.asked) > before)
        return one

    @property
    def websocket(self) -> Any:
        """The one that is open, as the server has it."""
        (one,) = self.server.server_state.connections
        return one

    @property
    def counted(self) -> tuple[int, int]:
        """Strangers, and who is vouched for."""
        return self.strangers.strangers, self.strangers.vouched_for


@pytest.fixture
async def house(caplog: pytest.LogCaptureFixture) -> AsyncIterator[House]:
    """It may log nothing, whatever the test does to it."""
    house = House()
    running = asyncio.create_task(house.server._serve([house.listener]))
    await until(lambda: house.server.started)
    yield house
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    house.is_over.set()
    for each in house.opened:
        each.close()
    house.server.should_exit = True
    await running
    assert warnings == []


@pytest.mark.parametrize(
    ("path", "counted"), [("/never", (1, 0)), ("/accepted", (1, 0)), ("/vouched", (0, 1)), ("/attached", (0, 1))]
)
async def test_it_is_a_stranger_until_somebody_vouches_for_it_or_a_connection_is_attached(
    house: House, path: str, counted: tuple[int, int]
) -> None:
    one = await house.knock(path)
    assert house.counted == counted
    one.close()
    await until(lambda: house.counted == (0, 0))


async def test_among_strangers_whoever_has_asked_last_goes_last(house: House) -> None:
    first = await house.open()
    idle = await house.open()
    await until(lambda: house.counted == (2, 0))
    await house.knock("/never", first)
    for _ in range(2):
        await house.open()
    assert await idle.rest(5) == b""
    assert house.strangers.ended == {"address": 1}


async def test_a_handshake_that_is_never_completed_has_a_deadline(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client is told when to come back."""
    monkeypatch.setattr(websocket_opening, "HANDSHAKE_SECONDS", 0.05)
    answer = await (await house.knock("/never")).rest(5)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: " in answer
    assert house.strangers.ended == {"late": 1}


async def test_whoever_is_vouched_for_has_no_deadline(house: House) -> None:
    await house.knock("/vouched")
    assert house.websocket._timer.cancelled()


async def test_the_deadline_ends_nobody_who_was_let_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_opening, "HANDSHAKE_SECONDS", 0.05)
    one = await house.knock("/accepted")
    late = await house.knock("/never")
    assert (await late.rest(5)).startswith(b"HTTP/1.1 503 ")
    assert house.strangers.ended == {"late": 1}
    assert (await one.answer()).status == 101
    assert not house.websocket.transport.is_closing()


async def test_with_its_socket_the_deadline_is_gone(house: House) -> None:
    one = await house.knock("/never")
    timer = house.websocket._timer
    one.close()
    await until(lambda: house.counted == (0, 0))
    assert timer.cancelled()


async def test_what_an_attached_connection_is_told_is_told_as_to_any(house: House) -> None:
    one = await house.knock("/attached")
    await one.answer()
    await one.send(frame(TEXT, b"hi"))
    await until(lambda: house.guest.texts == ["hi"])
