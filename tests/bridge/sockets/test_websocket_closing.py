"""How a WebSocket ends, on a real uvicorn: with an end that waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from bridge.sockets import websocket_closing
from bridge.sockets.framing import text_frame
from bridge.sockets.ports import HEARD_OUT
from tests.bridge.broker.parts import until
from tests.bridge.sockets.websocket_server import (
    ANSWER_SECONDS,
    PATH,
    House,
    closing,
    connected,
    entered,
    flood,
    served,
    slow_reader,
)
from tests.end_to_end.raw import BINARY, CLOSE, CONTINUATION, HANDSHAKE, PING, PONG, TEXT, RawSocket, frame, request


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


async def test_who_answers_pings_stays_and_who_does_not_is_told_and_closed(
    house: House, listener: socket.socket, hurried: None
) -> None:
    port = listener.getsockname()[1]
    async with served(house, listener, keepalive_seconds=1.0), entered(port) as alive:
        for _ in range(2):
            opcode, payload = await alive.receive()
            assert opcode == PING
            await alive.send(frame(PONG, payload))
        await until(lambda: house.guest.pongs == 2)
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


async def test_a_close_between_two_fragments_is_a_close(guest: RawSocket, house: House) -> None:
    await guest.send(frame(TEXT, b"begun", fin=False) + frame(CLOSE, (1000).to_bytes(2)))
    assert await guest.close_code() == 1000
    assert house.guest.losses == 1


async def test_uvicorns_own_end_tells_who_is_left(house: House, listener: socket.socket, hurried: None) -> None:
    async with served(house, listener):
        left = entered(listener.getsockname()[1])
        opened = await left.__aenter__()
    assert await opened.close_code() == 1012
    assert house.guest.losses == 1
    await left.__aexit__(None, None, None)


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


@pytest.mark.usefixtures("hurried")
async def test_who_sends_on_after_its_end_is_cut_off_at_a_bound(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_closing, "LINGER_SECONDS", 30)
    monkeypatch.setattr(websocket_closing, "LINGER_BYTES", 300_000)
    async with served(closing, listener), entered(listener.getsockname()[1]) as client:
        assert await client.close_code() == 4401
        with pytest.raises((ConnectionError, RuntimeError)):  # uvloop's own, where it is closed already
            await flood(client, frame(PING, b"x" * 100) * 1_000)


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


@pytest.mark.parametrize("reason", sorted(HEARD_OUT))
async def test_what_was_said_before_a_polite_close_could_be_known_is_heard_until_the_clients_own(
    guest: RawSocket, house: House, reason: str
) -> None:
    house.guest.wire.begin_close(1012, reason)
    split = frame(TEXT, b"in two ", fin=False) + frame(CONTINUATION, b"parts")
    await guest.send(frame(TEXT, b"one") + frame(BINARY, b"two") + split)
    await until(lambda: house.guest.texts == ["one", "two", "in two parts"])
    assert (len(house.guest.wire.heard_out), house.guest.losses, house.guest.has_taken_all) == (1, 1, False)
    await guest.send(frame(CLOSE, (1012).to_bytes(2)) + frame(TEXT, b"after the end"))
    assert await guest.close_code() == 1012
    assert await guest.rest(1) == b""
    assert (house.guest.texts[3:], len(house.guest.wire.heard_out), house.guest.has_taken_all) == ([], 0, True)


@pytest.mark.parametrize("reason", ["unauthenticated", "rate_limited", "message_too_big", "slow_consumer", "forbidden"])
async def test_after_any_other_close_nothing_is_heard(guest: RawSocket, house: House, reason: str) -> None:
    house.guest.wire.begin_close(4401, reason)
    await guest.send(frame(TEXT, b"one") + frame(CLOSE, (4401).to_bytes(2)))
    assert await guest.close_code() == 4401
    assert await guest.rest(1) == b""
    assert (house.guest.texts, len(house.guest.wire.heard_out)) == ([], 0)


async def test_who_was_closed_politely_and_does_not_close_is_heard_for_a_bounded_time(
    port: int, house: House, hurried: None
) -> None:
    async with entered(port) as silent:
        house.guest.wire.begin_close(1012, "going_away")
        assert await silent.close_code() == 1012
        assert await silent.rest(1) == b""
        assert (len(house.guest.wire.heard_out), house.guest.has_taken_all) == (0, False)


async def test_what_is_not_allowed_ends_it_also_after_a_polite_close(guest: RawSocket, house: House) -> None:
    house.guest.wire.begin_close(1012, "going_away")
    await guest.send(frame(TEXT, b"\xff") + frame(TEXT, b"more"))
    assert await guest.close_code() == 1012
    assert await guest.rest(3) == b""
    assert (house.guest.texts, len(house.guest.wire.heard_out)) == ([], 0)


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING])
async def test_who_speaks_is_alive_though_it_answers_no_ping_and_who_falls_silent_is_not(
    house: House, listener: socket.socket, hurried: None, opcode: int
) -> None:
    port = listener.getsockname()[1]
    async with served(house, listener, keepalive_seconds=0.5), entered(port) as deaf:
        while house.guest.pongs < 3:  # the times that no pong had come
            await deaf.send(frame(opcode, b"hi"))
            await asyncio.sleep(0.02)
        assert house.guest.losses == 0
        assert await deaf.close_code() == 1011
