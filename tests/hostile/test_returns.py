"""A tenant with long histories, and many who come back to them: little is read at a time, and others talk meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from bridge.broker.history import READ
from bridge.continuity.tails import MOST_READ_TOGETHER
from tests.conftest import StartRedis
from tests.end_to_end.backends import Parser, listening
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import UNHURRIED, with_key
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked, running
from tests.hostile.configuration import CONFIG
from tests.hostile.victims import PATIENCE_SECONDS, hear, victims
from tests.proxy import Direction, Proxy, proxy_to
from tests.servers import RedisServer

OUTBOX_BYTES = 8_192
SMALL = f"max_message_bytes = 4_096\noutbox_bytes = {OUTBOX_BYTES}\n{UNHURRIED}{CONFIG}"
GROUPS, MESSAGES, MESSAGE_BYTES = 8, 60, 4_000
RETURNS_PER_GROUP = 3
MOST_BYTES_PER_READ = 2 * OUTBOX_BYTES
"""Of a history: each message may be kept in both languages."""
MOST_BYTES_BESIDE = 500_000
"""What Redis answers beside histories: to handshakes, to what the victims say, and to whoever asks how much it was."""
LONG_AGO = "@1"
MANY_GROUPS = ",".join(f"g{number}" for number in range(60))
LOOKS = 5


@contextmanager
def attacked_at(redis_url: str, home: Path, without: str | None = None) -> Iterator[Attacked]:
    with running(attacked(redis_url, home, without)) as bridge:
        yield bridge


def attacked(redis_url: str, home: Path, without: str | None) -> Attacked:
    bridge = Attacked(home, "--redis", redis_url, config=SMALL, environment={"BRIDGE_DATA_DIR": str(home / "data")})
    bridge.without = without
    return bridge


async def say_much(bridge: Attacked, group: str) -> None:
    async with client(bridge, v3_path(group, "rowdy", with_key("rowdy"))) as rowdy:
        for _ in range(MESSAGES):
            await rowdy.say({"msg_type": "msg", "target": "group", "msg": "x" * MESSAGE_BYTES})
            await hear(rowdy)


async def come_back(bridge: Attacked, group: str, number: int) -> None:
    path = v3_path(group, f"back{number}", f"{with_key('rowdy')}&since={LONG_AGO}")
    async with client(bridge, path) as back:
        assert (await hear(back))["cmd"] == "RESUMED"


def bytes_answered(redis: RedisServer) -> int:
    """By Redis to everybody, since it runs."""
    stats: Any = redis.execute("INFO", "stats")
    return int(stats["total_net_output_bytes"])


async def histories_read(bridge: Attacked) -> int:
    async with httpx.AsyncClient(base_url=bridge.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return int(next(float(line.split()[1]) for line in lines if line.startswith("bridge_histories_read_total ")))


async def many_come_back(bridge: Attacked, redis: RedisServer) -> None:
    """Raises `TookMore` if more was read than they can be sent."""
    before = bytes_answered(redis)
    groups = [f"long{number}" for number in range(GROUPS)]
    returns = [come_back(bridge, group, number) for number in range(RETURNS_PER_GROUP) for group in groups]
    await asyncio.gather(*returns)
    answered, reads = bytes_answered(redis) - before, await histories_read(bridge)
    if answered > reads * MOST_BYTES_PER_READ + MOST_BYTES_BESIDE:
        raise TookMore(f"{answered} bytes for {reads} histories")


async def nobody_else_is_held_up(bridge: Attacked, redis: RedisServer) -> None:
    """Whatever the victims say meanwhile is taken, and heard once and in order."""
    await asyncio.gather(*(say_much(bridge, f"long{number}") for number in range(GROUPS)))
    async with victims(bridge) as talking:
        await talking.talk_during(many_come_back(bridge, redis))


async def test_of_long_histories_no_more_is_read_than_is_sent(redis_server: StartRedis, tmp_path: Path) -> None:
    redis = redis_server()
    with attacked_at(redis.url, tmp_path / "bridge") as bridge:
        await nobody_else_is_held_up(bridge, redis)


async def test_where_reading_has_no_bound_all_of_them_is_read(redis_server: StartRedis, tmp_path: Path) -> None:
    redis = redis_server()
    with (
        attacked_at(redis.url, tmp_path / "bridge", without="bound of reading") as bridge,
        pytest.raises(TookMore),
    ):
        await nobody_else_is_held_up(bridge, redis)


class Link:
    """What is said to Redis on one connection, and how many histories were asked for."""

    def __init__(self, reader: asyncio.StreamReader, asked: Callable[[], None]) -> None:
        self.reads = 0
        self._reader = reader
        self._asked = asked

    async def read(self, most_bytes: int) -> bytes:
        data = await self._reader.read(most_bytes)
        if reads := data.count(READ.digest.encode()):
            self.reads += reads
            self._asked()
        return data


class ToRedis(Direction):
    """The way to Redis. As soon as a history is asked for, the answers are held back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()
        self.answers: Direction | None = None
        """Those that may be held back, if any."""
        self._links: list[Link] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, self._asked)
        self._links.append(link)
        await super().carry(cast(asyncio.StreamReader, link), writer)

    def _asked(self) -> None:
        self.is_asked.set()
        if self.answers is not None:
            self.answers.hold()

    @property
    def most_reads(self) -> int:
        """Of one link: where it is lost, all that were asked for are over."""
        return max(link.reads for link in self._links)


async def return_to_many(bridge: Attacked) -> None:
    """One request of a backend. It ends with a gap, whatever was read."""
    parser = Parser()
    parser.last_id = LONG_AGO
    with contextlib.suppress(httpx.HTTPError):
        async with listening(bridge, f"groups={MANY_GROUPS}", "rowdy", parser) as backend:
            assert (await backend.hear()).name == "gap"


@asynccontextmanager
async def attacked_over(proxy: Proxy, home: Path, without: str | None) -> AsyncIterator[Attacked]:
    """The proxy is of this loop, which must not wait meanwhile."""
    bridge = attacked(proxy.url, home, without)
    try:
        await asyncio.to_thread(bridge.start)
        yield bridge
        await asyncio.to_thread(bridge.close)
    finally:
        bridge.kill()


async def few_are_read_at_a_time(redis: RedisServer, home: Path, without: str | None = None) -> None:
    """From the first question on Redis says nothing. Raises `TookMore` if the bridge asks for more than a few."""
    to_redis = ToRedis()
    async with proxy_to(redis.port) as proxy:
        proxy.up = to_redis
        async with attacked_over(proxy, home, without) as bridge, listening(bridge, f"groups={MANY_GROUPS}", "rowdy"):
            to_redis.answers = proxy.down
            returning = asyncio.create_task(return_to_many(bridge))
            await to_redis.is_asked.wait()
            async with httpx.AsyncClient(base_url=bridge.url, timeout=PATIENCE_SECONDS) as http:
                for _ in range(LOOKS):
                    await http.get("/healthz")
            most, to_redis.answers = to_redis.most_reads, None
            proxy.down.let_go()
            await returning
    if most > MOST_READ_TOGETHER:
        raise TookMore(f"{most} histories at a time")


async def test_of_many_histories_few_are_read_at_a_time(redis_server: StartRedis, tmp_path: Path) -> None:
    await few_are_read_at_a_time(redis_server(), tmp_path / "bridge")


async def test_where_they_do_not_wait_for_each_other_all_are(redis_server: StartRedis, tmp_path: Path) -> None:
    with pytest.raises(TookMore):
        await few_are_read_at_a_time(redis_server(), tmp_path / "bridge", without="few at a time")
