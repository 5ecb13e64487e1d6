"""What waits to be sent on one socket, on a real uvicorn, and who is slow."""

from __future__ import annotations

import asyncio

from bridge.budget.drain import MOST_TIMES
from bridge.sockets.framing import text_frame
from bridge.sockets.websocket_closing import Phase
from tests.bridge.broker.parts import until
from tests.bridge.sockets.protocols import OUTBOX_BYTES
from tests.bridge.sockets.websocket_server import House, entered, slow_reader
from tests.end_to_end.raw import TEXT, RawSocket


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
        await until(lambda: house.guest.wire.phase is Phase.GONE, 2)
        silent.close()


async def test_a_client_that_reads_nothing_of_what_waits_is_refused_though_nothing_more_is_written(
    port: int, house: House
) -> None:
    async with slow_reader(port) as silent:
        await until(lambda: house.guest.wire is not None and house.guest.wire._carried is not None)
        wire = house.guest.wire
        while wire.waiting_bytes() <= OUTBOX_BYTES:
            wire.write(text_frame(b"x" * 20_000))
            await asyncio.sleep(0)
        wire.budget.outboxes.look()
        assert house.guest.refusals == []
        while not house.guest.refusals:
            wire.budget.outboxes.look()
            await asyncio.sleep(0.05)
        assert house.guest.refusals == ["slow_consumer"]
        silent.close()


async def test_a_client_that_drains_is_not_slow_however_much_waits_within_four_times_the_bound(
    guest: RawSocket, house: House
) -> None:
    """The kernel takes what it can; the rest waits for longer than the bound alone would allow."""
    wire = house.guest.wire
    for _ in range(20):
        for _ in range(MOST_TIMES - 1):
            wire.write(text_frame(b"x" * OUTBOX_BYTES))
        for _ in range(MOST_TIMES - 1):
            assert (await guest.receive())[0] == TEXT
    assert (house.guest.refusals, house.guest.losses) == ([], 0)


async def test_much_that_waits_for_one_is_known_to_all_outboxes_until_it_drains(house: House, port: int) -> None:
    async with entered(port) as client:
        wire = house.guest.wire
        while not wire.budget.outboxes.waiting_bytes:
            wire.write(text_frame(b"x" * 50_000))
            assert wire.waiting_bytes() < OUTBOX_BYTES
        while wire.budget.outboxes.waiting_bytes:
            await client.receive()
        assert house.guest.refusals == []
