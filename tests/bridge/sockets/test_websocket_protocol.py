"""One socket under our protocol, on a real uvicorn: every message in its turn, and an end that waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets import websocket_protocol
from bridge.sockets.framing import text_frame
from bridge.sockets.ports import ASGI_EXTENSION
from bridge.sockets.websocket_protocol import WebSocketProtocol
from tests.bridge.broker.parts import until
from tests.end_to_end.raw import BINARY, CLOSE, HANDSHAKE, PING, PONG, TEXT, RawSocket, frame, request

OUTBOX_BYTES = 100_000
PATH = "/"
ANSWER_SECONDS = 15.0


class Guest:
    """A connection as its socket sees it: it notes everything, and answers a refusal as a session does."""

    def __init__(self) -> None:
        self.wire: Any = None
        self.holder = Holder()
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.pongs = 0
        self.losses = 0
        self.over = asyncio.Event()

    def receive(self, text: str) -> None:
        if text == "fail":
            raise ZeroDivisionError
        self.texts.append(text)

    def refuse(self, code: str) -> None:
        self.refusals.append(code)
        self.wire.write(text_frame(b"ERROR"))
        self.wire.begin_close(4000, code)

    def alive(self) -> None:
        self.pongs += 1

    def lost(self) -> None:
        self.losses += 1
        self.over.set()


class House:
    """An application that lets each guest in when it is told to, and hands the wire over."""

    def __init__(self) -> None:
        self.guest = Guest()
        self.knocked = asyncio.Event()
        self.may_enter = asyncio.Event()
        self.may_enter.set()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "websocket":
            return
        assert (await receive())["type"] == "websocket.connect"
        self.guest.wire = scope["extensions"][ASGI_EXTENSION]
        self.knocked.set()
        await self.may_enter.wait()
        try:
            await send({"type": "websocket.accept"})
        finally:
            self.guest.wire.attach(self.guest)
        await self.guest.over.wait()


@asynccontextmanager
async def served(app: Any, listener: socket.socket, **settings: Any) -> AsyncIterator[None]:
    protocol = type(
        "Protocol", (WebSocketProtocol,), {"outbox_bytes": OUTBOX_BYTES, "budget": Budget(Settings().limits)}
    )
    usual: dict[str, Any] = {"ws_max_size": 65_536, "ws_per_message_deflate": False, "log_config": None}
    config = uvicorn.Config(app, ws=protocol, lifespan="off", timeout_graceful_shutdown=1, **usual | settings)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def port(house: House, listener: socket.socket) -> AsyncIterator[int]:
    async with served(house, listener):
        yield listener.getsockname()[1]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawSocket]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    opened = RawSocket(reader, writer)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def entered(port: int) -> AsyncIterator[RawSocket]:
    async with connected(port) as opened:
        await opened.upgrade(PATH)
        yield opened


@pytest.fixture
async def guest(port: int, house: House) -> AsyncIterator[RawSocket]:
    async with entered(port) as opened:
        yield opened


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "FLUSH_SECONDS", 0.3)
    monkeypatch.setattr(websocket_protocol, "LINGER_SECONDS", 0.3)


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


async def test_a_handshake_is_forgotten_once_it_is_answered(guest: RawSocket, house: House) -> None:
    await guest.send(frame(TEXT, b"hi"))
    await until(lambda: bool(house.guest.texts))
    assert not house.guest.wire.request.headers
    assert not house.guest.wire.response.headers


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


async def test_what_is_written_arrives_and_then_the_close(guest: RawSocket, house: House) -> None:
    house.guest.wire.write(text_frame(b"hello") + text_frame(b"again"))
    house.guest.wire.begin_close(4001, "bye", text_frame(b"at last"))
    house.guest.wire.begin_close(4002, "once more", text_frame(b"too late"))
    assert [await guest.receive() for _ in range(4)] == [
        (TEXT, b"hello"),
        (TEXT, b"again"),
        (TEXT, b"at last"),
        (CLOSE, (4001).to_bytes(2) + b"bye"),
    ]
    assert house.guest.losses == 1
    await guest.send(frame(TEXT, b"too late") + frame(CLOSE, (4001).to_bytes(2)))
    assert await guest.rest(1) == b""
    assert house.guest.texts == []


async def test_who_does_not_answer_the_close_is_cut_off(port: int, house: House, hurried: None) -> None:
    async with entered(port) as silent:
        house.guest.wire.begin_close(4001, "bye")
        assert await silent.close_code() == 4001
        assert await silent.rest(1) == b""


async def test_an_abort_ends_without_a_word(guest: RawSocket, house: House) -> None:
    house.guest.wire.abort()
    assert await guest.rest(1) == b""
    assert house.guest.losses == 1


async def test_a_message_that_fails_is_counted_and_logged_and_the_connection_lives(
    guest: RawSocket, house: House
) -> None:
    with capture_logs() as logs:
        await guest.send(frame(TEXT, b"fail") + frame(TEXT, b"fa", fin=False) + frame(0, b"il") + frame(TEXT, b"good"))
        await until(lambda: house.guest.texts == ["good"])
    assert [line["event"] for line in logs] == ["message_failed"] * 2
    assert type(house.guest.wire).errors == 2


async def test_a_client_that_does_not_read_is_refused_once_and_not_within_the_write(
    port: int, house: House, hurried: None
) -> None:
    async with slow_reader(port) as silent:
        await until(lambda: house.guest.wire is not None and house.guest.wire._carried is not None)
        for _ in range(100):
            house.guest.wire.write(text_frame(b"x" * 60_000))
        assert house.guest.refusals == []
        await until(lambda: house.guest.losses)
        assert house.guest.refusals == ["slow_consumer"]
        await until(lambda: house.guest.wire.disconnected, 2)
        silent.close()


async def test_a_client_that_reads_late_hears_why_it_was_refused(port: int, house: House) -> None:
    async with slow_reader(port) as late:
        await until(lambda: house.guest.wire is not None and house.guest.wire._carried is not None)
        for _ in range(20):
            house.guest.wire.write(text_frame(b"x" * 60_000))
        await until(lambda: house.guest.losses)
        loop, rest = asyncio.get_running_loop(), b""
        close = b"\x88\x0f" + (4000).to_bytes(2) + b"slow_consumer"
        async with asyncio.timeout(ANSWER_SECONDS):
            while not rest.endswith(close):
                rest += await loop.sock_recv(late, 65_536)
        assert rest.endswith(text_frame(b"ERROR") + close)


@asynccontextmanager
async def slow_reader(port: int) -> AsyncIterator[socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.setblocking(False)
        await loop.sock_connect(silent, ("127.0.0.1", port))
        await loop.sock_sendall(silent, request(PATH, HANDSHAKE))
        yield silent


async def test_a_ping_is_answered_and_a_pong_that_nobody_asked_for_is_a_sign_of_life(
    guest: RawSocket, house: House
) -> None:
    await guest.send(frame(PING, b"are you there"))
    assert await guest.receive() == (PONG, b"are you there")
    await guest.send(frame(PONG, b"unasked"))
    await until(lambda: house.guest.pongs == 1)


async def test_who_answers_pings_stays_and_who_does_not_is_told_and_closed(
    house: House, listener: socket.socket, hurried: None
) -> None:
    port = listener.getsockname()[1]
    async with served(house, listener, ws_ping_interval=0.1, ws_ping_timeout=3.0), entered(port) as alive:
        for _ in range(6):
            opcode, payload = await alive.receive()
            assert opcode == PING
            await alive.send(frame(PONG, payload))
        await until(lambda: house.guest.pongs == 6)
        assert house.guest.losses == 0
        assert await alive.close_code() == 1011
        assert house.guest.losses == 1
        assert await alive.rest(1) == b""


async def test_a_client_that_shuts_its_side_is_lost(port: int, house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await RawSocket(reader, writer).upgrade(PATH)
    writer.write_eof()
    await until(house.guest.over.is_set, 5)
    assert house.guest.losses == 1
    writer.close()


@pytest.mark.parametrize(
    ("said", "code", "refusals"),
    [
        (frame(TEXT, b"x" * 70_000), 1009, ["message_too_big"]),
        (frame(TEXT, b"x" * 70_000)[:100], 1009, ["message_too_big"]),
        (frame(BINARY, b"\xff\xfe"), 4000, ["binary_not_supported"]),
        (frame(TEXT, b"\xff\xfe"), 1007, []),
        (frame(TEXT, b"\xff", fin=False) + frame(0, b"\xfe"), 1007, []),
        (frame(TEXT, b"unmasked", masked=False), 1002, []),
        (frame(PING, b"x" * 126), 1002, []),
        (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 5_000, 1008, []),
    ],
    ids=range(8),
)
async def test_what_is_not_allowed_ends_with_its_code_though_more_is_on_its_way(
    guest: RawSocket, house: House, said: bytes, code: int, refusals: list[str], hurried: None
) -> None:
    """The close is not lost by a reset: what still comes is thrown away for a while."""
    await guest.send(said + frame(TEXT, b"more" * 10_000) * 5)
    assert await guest.close_code() == code
    await guest.send(frame(TEXT, b"and more" * 1_000))
    assert await guest.rest(2) == b""
    assert house.guest.refusals == refusals
    assert (house.guest.losses, house.guest.texts) == (1, [])


async def test_a_frame_may_come_byte_by_byte(guest: RawSocket, house: House) -> None:
    for byte in frame(TEXT, b"x" * 300) + frame(PING, b"") + frame(TEXT, b"short"):
        await guest.send(bytes([byte]))
        await asyncio.sleep(0)
    await until(lambda: house.guest.texts == ["x" * 300, "short"])
    assert await guest.receive() == (PONG, b"")


async def test_a_close_between_two_fragments_is_a_close(guest: RawSocket, house: House) -> None:
    await guest.send(frame(TEXT, b"begun", fin=False) + frame(CLOSE, (1000).to_bytes(2)))
    assert await guest.close_code() == 1000
    assert house.guest.losses == 1


async def test_a_unix_socket_has_a_wire_too(house: House, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        async with served(house, listener):
            reader, writer = await asyncio.open_unix_connection(path)
            opened = RawSocket(reader, writer)
            await opened.upgrade(PATH)
            house.guest.wire.write(text_frame(b"hello"))
            assert await opened.receive() == (TEXT, b"hello")
            opened.close()


async def test_uvicorns_own_end_tells_who_is_left(house: House, listener: socket.socket, hurried: None) -> None:
    async with served(house, listener):
        left = entered(listener.getsockname()[1])
        opened = await left.__aenter__()
    assert await opened.close_code() == 1012
    assert house.guest.losses == 1
    await left.__aexit__(None, None, None)


async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """An application that knows nothing of wires."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


async def test_without_a_connection_attached_it_serves_as_uvicorn_does(listener: socket.socket) -> None:
    async with served(echo, listener), entered(listener.getsockname()[1]) as client:
        await client.send(frame(TEXT, b"one") + frame(BINARY, b"two") + frame(TEXT, b"\xff"))
        assert [await client.receive() for _ in range(3)] == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, "�".encode())]
        await client.send(frame(CLOSE, (1000).to_bytes(2)))
        assert await client.close_code() == 1000


async def closing(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """An application that accepts, says why, and closes: as our doors refuse."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "no"})
    await send({"type": "websocket.close", "code": 4401, "reason": "unauthenticated"})


async def test_a_refusal_is_heard_by_a_client_that_goes_on_talking(listener: socket.socket) -> None:
    async with served(closing, listener), connected(listener.getsockname()[1]) as client:
        await client.send(request(PATH, HANDSHAKE) + frame(TEXT, b"talk" * 1_000) * 20)
        assert (await client.answer()).status == 101
        assert await client.receive() == (TEXT, b"no")
        assert await client.close_code() == 4401
        await client.send(frame(TEXT, b"more"))
        await client.send(frame(CLOSE, (4401).to_bytes(2)))
        assert await client.rest(2) == b""


async def test_nothing_is_read_of_a_client_that_was_refused(listener: socket.socket) -> None:
    """Its pings are not answered, and after a while it is cut off."""
    async with served(closing, listener), entered(listener.getsockname()[1]) as client:
        assert await client.receive() == (TEXT, b"no")
        assert await client.close_code() == 4401
        with contextlib.suppress(ConnectionError):
            await client.send(frame(PING, b"are you there") * 1_000)
        assert await client.rest(5) == b""


async def flood(client: RawSocket, frames: bytes) -> None:
    while True:
        await client.send(frames)


@pytest.mark.usefixtures("hurried")
async def test_who_sends_on_after_its_end_is_cut_off_at_a_bound(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_protocol, "LINGER_SECONDS", 30)
    monkeypatch.setattr(websocket_protocol, "LINGER_BYTES", 300_000)
    async with served(closing, listener), entered(listener.getsockname()[1]) as client:
        assert await client.close_code() == 4401
        with pytest.raises((ConnectionError, RuntimeError)):  # uvloop's own, where it is closed already
            await flood(client, frame(PING, b"x" * 100) * 1_000)


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


async def test_much_that_waits_for_one_is_known_to_all_outboxes_until_it_drains(house: House, port: int) -> None:
    async with entered(port) as client:
        wire = house.guest.wire
        while not wire.budget.outboxes.waiting_bytes:
            wire.write(text_frame(b"x" * 50_000))
            assert wire.waiting_bytes() < OUTBOX_BYTES
        while wire.budget.outboxes.waiting_bytes:
            await client.receive()
        assert house.guest.refusals == []


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
