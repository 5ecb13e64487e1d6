"""A process that says and keeps things, and somebody who hears it and reads what was kept. On the test's own loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.history import READ, History, HistoryOptions, keys_to_read
from bridge.broker.incoming import Incoming
from bridge.broker.link import pool
from bridge.continuity.missed import Kept
from bridge.continuity.tails import kept_in
from tests.bridge.broker.parts import ANSWER_SECONDS, ARRIVED_AT, MAX_BYTES, Answers, message, running

OPTIONS = HistoryOptions(seconds=60)


class Keeping:
    """One process's history, over a bus of its own."""

    def __init__(self, url: str, prefix: str, options: HistoryOptions = OPTIONS) -> None:
        self.addresses = Addresses(prefix)
        self.bus = Bus(pool(url, "test-history"), self.addresses.probe)
        self.history = History(self.bus, self.addresses, options)
        self.group = self.addresses.group("acme", "team")
        self.ann = self.addresses.client("acme", "ann")
        self.wide = self.addresses.everyone_on_v2("acme")
        self._message = Incoming(lambda: ARRIVED_AT, MAX_BYTES).message

    async def run(self) -> None:
        await self.bus.run()

    async def say(self, text: str, *channels: bytes) -> Any:
        """Say it to the group, or on these channels: how many have heard it."""
        answers = Answers()
        self.history.publish(channels or [self.group], message(text), answers)
        return await answers.next()

    async def read(self, channel: bytes, since: int = 0, most_bytes: int = 0) -> Kept:
        """What is kept of a channel; with `most_bytes` the newest of it."""
        answers = Answers()
        READ.run(self.bus, self.keys_of(channel), [since, most_bytes], answers)
        return kept_in(await answers.next(), self._message)

    async def texts(self, channel: bytes) -> list[str]:
        """The words that are kept of a channel."""
        return [one.heard.msg or "" for _, one in (await self.read(channel)).messages]

    def keys_of(self, channel: bytes) -> list[str]:
        return keys_to_read(self.addresses, channel)

    def key(self, channel: bytes, what: str = "") -> str:
        """What the history of a channel is kept under, and the names that begin so."""
        return self.addresses.kept_under(channel).decode() + what


@asynccontextmanager
async def keeping(url: str, prefix: str, options: HistoryOptions = OPTIONS) -> AsyncIterator[Keeping]:
    """A process whose link is open, and has noted that it begins."""
    process = Keeping(url, prefix, options)
    async with running(process):
        assert await process.bus.wait_until_up(ANSWER_SECONDS)
        await process.bus.wait_until_answered()
        yield process


async def number_in(redis: Redis, name: str) -> int:
    """The number that a string holds."""
    return int(await redis.get(name) or 0)


def numbers(kept: Kept) -> Sequence[int]:
    """The numbers of what was kept."""
    return [number for number, _ in kept.messages]
