"""What waits to be sent on one stream, without a socket: `send` takes it, or does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.budget.drain import MOST_TIMES, OutboxBounds
from bridge.budget.outboxes import MUCH_BYTES, Outboxes
from bridge.sockets import event_outbox as module
from bridge.sockets.event_outbox import PIECE_BYTES, EventOutbox
from tests.bridge.broker.parts import ANSWER_SECONDS, until

BOUNDS = OutboxBounds(2 * MUCH_BYTES, 0)


class Socket:
    """Takes what is sent, while it is open; and ends slow clients as their streams do."""

    def __init__(self, bounds: OutboxBounds = BOUNDS) -> None:
        self.outboxes = Outboxes(100 * MUCH_BYTES)
        self.pieces: list[bytes] = []
        self.is_complete = False
        self.aborted = 0
        self.cut = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self.framed = 0
        self.outbox: EventOutbox[bytes] = EventOutbox(self.frame, bounds, self.outboxes, self.slow, self.abort)

    def frame(self, item: bytes) -> bytes:
        self.framed += 1
        return item

    def slow(self) -> None:
        self.cut += 1
        self.outbox.finish(b"slow", drops_rest=True)

    def abort(self) -> None:
        self.aborted += 1

    def put(self, size_bytes: int, times: int = 1) -> None:
        for _ in range(times):
            self.outbox.put(b"x" * size_bytes, size_bytes)

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.is_complete = not message["more_body"]
        self.pieces.append(message["body"])

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


@pytest.fixture
async def socket(anyio_backend: Any) -> Socket:
    return Socket()


async def run(socket: Socket) -> None:
    await asyncio.wait_for(socket.outbox.run(socket.send), ANSWER_SECONDS)


async def test_everything_is_sent_in_order_and_the_last_ends_the_response(socket: Socket) -> None:
    running = asyncio.create_task(run(socket))
    for word in (b"one ", b"two "):
        socket.outbox.put(word, len(word))
    await until(lambda: socket.body == b"one two ")
    socket.outbox.put(b"three ", 6)
    socket.outbox.finish(b"last")
    socket.outbox.put(b"too late", 8)
    socket.outbox.finish(b"again")
    await running
    assert (socket.body, socket.is_complete) == (b"one two three last", True)


async def test_what_waits_is_framed_a_piece_at_a_time(socket: Socket) -> None:
    socket.put(PIECE_BYTES // 4, 10)
    socket.takes.clear()
    running = asyncio.create_task(run(socket))
    await until(lambda: socket.framed)
    assert (socket.framed, socket.outbox.waiting_bytes()) == (4, 6 * PIECE_BYTES // 4)
    socket.takes.set()
    socket.outbox.finish(b"last")
    await running
    assert [len(piece) for piece in socket.pieces[:2]] == [PIECE_BYTES, PIECE_BYTES]
    assert socket.outbox.waiting_bytes() == 0


async def test_much_that_waits_is_known_to_all_outboxes_until_it_is_sent(socket: Socket) -> None:
    socket.put(MUCH_BYTES)
    assert socket.outboxes.waiting_bytes == 0
    socket.put(1)
    assert socket.outboxes.waiting_bytes == MUCH_BYTES + 1
    running = asyncio.create_task(run(socket))
    await until(lambda: socket.outbox.waiting_bytes() == 0)
    assert socket.outboxes.waiting_bytes == 0
    socket.outbox.lost()
    await running


async def test_who_takes_nothing_is_ended_without_the_rest_and_not_within_the_write(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    socket.takes.clear()
    running = asyncio.create_task(run(socket))
    socket.put(MUCH_BYTES, 2 * MOST_TIMES + 4)
    assert socket.cut == 0
    await until(lambda: socket.cut)
    assert (socket.outbox.waiting_bytes(), socket.outboxes.waiting_bytes) == (0, 0)
    await until(lambda: socket.aborted)
    socket.takes.set()
    await running
    assert socket.body.endswith(b"slow")
    assert len(socket.body) <= MUCH_BYTES + PIECE_BYTES
    assert (socket.cut, socket.aborted) == (1, 1)


async def test_who_does_not_drain_in_time_is_slow_though_nothing_more_is_said() -> None:
    socket = Socket(OutboxBounds(2 * MUCH_BYTES, 1_000 * MUCH_BYTES))
    socket.put(MUCH_BYTES, 3)
    assert not socket.outbox.is_slow(0)
    assert socket.outbox.is_slow(1)
    socket.outboxes.look()
    assert socket.cut == 1


async def test_who_is_cut_for_all_is_slow(socket: Socket) -> None:
    socket.outboxes.most_bytes = MUCH_BYTES
    socket.put(MUCH_BYTES + 1)
    socket.outboxes.look()
    assert (socket.cut, socket.outboxes.cut) == (1, 1)


async def test_who_has_gone_is_sent_nothing_more_and_not_aborted(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.0)
    running = asyncio.create_task(run(socket))
    await asyncio.sleep(0)
    socket.outbox.finish(b"last")
    socket.outbox.lost()
    socket.outbox.lost()
    await running
    await asyncio.sleep(0.01)
    assert (socket.body, socket.aborted) == (b"", 0)
