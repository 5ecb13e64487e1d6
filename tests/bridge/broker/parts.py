"""Parts of the broker on the test's own loop, against a real Redis. Must never outlive the test that made them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from bridge.broker.bus import Bus
from bridge.broker.history import HistoryOptions
from bridge.broker.link import pool
from bridge.broker.message import BusMessage, read
from bridge.broker.part import Broker, BrokerOptions
from bridge.broker.subscriber import Subscriber
from tests.stopwatch import Stopwatch, within

MOMENT_SECONDS = 0.005
ANSWER_SECONDS = 30.0
ARRIVED_AT = "2026-01-01T00:00:00.000000Z"
MAX_BYTES = 100_000


class Part(Protocol):
    """Anything that goes on by itself until it is cancelled."""

    async def run(self) -> None: ...


class Answers(asyncio.Queue[Any]):
    """A callback whose calls can be awaited, in order."""

    def __call__(self, *answer: Any) -> None:
        self.put_nowait(answer[0] if answer else None)

    async def next(self) -> Any:
        """The next answer."""
        return await asyncio.wait_for(self.get(), ANSWER_SECONDS)

    def all(self) -> list[Any]:
        """What was answered and not yet asked for."""
        return [self.get_nowait() for _ in range(self.qsize())]


async def until(holds: Callable[[], Any], seconds: float = ANSWER_SECONDS) -> float:
    """Wait for what can only be looked at; for how many seconds that was, without the machine's stalls."""
    stopwatch = Stopwatch()
    async with within(seconds):
        while not holds():  # noqa: ASYNC110 - what is looked at says nothing by itself
            await asyncio.sleep(MOMENT_SECONDS)
    return stopwatch.least_seconds


async def until_true(asks: Callable[[], Awaitable[bool]], seconds: float = ANSWER_SECONDS) -> None:
    """Wait for what can only be asked for."""
    async with within(seconds):
        while not await asks():  # noqa: ASYNC110 - what is asked says nothing by itself
            await asyncio.sleep(MOMENT_SECONDS)


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[None]:
    """The parts go on by themselves; one that fails fails the test."""
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


@asynccontextmanager
async def running_bus(url: str, probe: bytes = b"nobody") -> AsyncIterator[Bus]:
    """A bus whose link is open."""
    bus = Bus(pool(url, "test-bus"), probe)
    async with running(bus):
        assert await bus.wait_until_up(ANSWER_SECONDS)
        yield bus


class Ear:
    """What a subscriber handed on: batches by channel, and gaps."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[tuple[bytes, list[BusMessage]]] = asyncio.Queue()
        self.gaps = Answers()

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        self.batches.put_nowait((channel, list(batch)))

    async def texts(self, number: int) -> list[tuple[bytes, str]]:
        """So many messages, as channel and `msg`."""
        return [(channel, message.heard.msg or "") for channel, message in await self.messages(number)]

    async def numbers(self, number: int) -> list[int]:
        """So many messages, as their numbers."""
        return [message.number for _, message in await self.messages(number)]

    async def messages(self, number: int) -> list[tuple[bytes, BusMessage]]:
        """So many messages, however many arrive together."""
        heard: list[tuple[bytes, BusMessage]] = []
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(heard) < number:
                channel, batch = await self.batches.get()
                heard += [(channel, message) for message in batch]
        return heard


@asynccontextmanager
async def running_subscriber(url: str, ear: Ear) -> AsyncIterator[Subscriber]:
    """A subscriber whose link is open."""
    subscriber = Subscriber(pool(url, "test-subscriber"), ear.deliver, ear.gaps, lambda: ARRIVED_AT, MAX_BYTES)
    async with running(subscriber):
        await until(lambda: subscriber.is_up)
        yield subscriber


def message(text: str, **more: Any) -> bytes:
    """A `WS_Message_V3` with every field that the server sets, as it stands on the bus."""
    fields = {"version": "3", "msg_type": "msg", "target": "group", "from_id": "ann", "group_id": "g", "msg": text}
    return json.dumps({**fields, "sent_at": ARRIVED_AT, **more}, separators=(",", ":")).encode()


def heard_as(number: int, text: str = "", v2_text: str | None = None, **more: Any) -> BusMessage:
    """A message that has arrived with this number."""
    data = message(text or str(number), **more)
    one = read(data if v2_text is None else b"%b\n%b" % (data, v2_text.encode()), lambda: ARRIVED_AT)
    one.number = number
    return one


def numbers_of(batch: Sequence[BusMessage]) -> list[int]:
    """What the messages of a batch are numbered."""
    return [one.number for one in batch]


def unheard_broker(url: str, prefix: str, presence_events_members: int = 0) -> Broker:
    """A broker of which nobody hears anything; of JOIN and LEAVE those do who ask for them."""
    options = BrokerOptions(url, prefix, 60, presence_events_members, MAX_BYTES, HistoryOptions())
    return Broker(options, lambda: time.time_ns() // 1_000, lambda _channel, _batch: None, lambda _seconds: None)
