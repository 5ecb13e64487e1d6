"""Whatever happens, in any order: no loss is unannounced, nothing is heard twice, and `complete` is never a lie.

Two processes and three clients, against a Redis that is maltreated. Links are lost, cut off and held up; histories are
trimmed, lost, too small; scripts are forgotten; clocks jump; processes die; clients are sent away and come back, also in
the other language; and messages are said all the while. Where nothing went wrong, everything is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha1
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from bridge.broker import history, watermarks
from bridge.broker.history import HistoryOptions
from bridge.broker.link import pack
from bridge.records.rows import Language
from tests.bridge.broker.parts import running
from tests.bridge.continuity.processes import GROUP, TENANT, Process
from tests.bridge.continuity.visitors import NAMES, Events, Said, Visitor
from tests.conftest import StartRedis
from tests.proxy import Proxy, proxy_to
from tests.servers import RedisServer
from tests.skipping_loop import SkippingLoop

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.timeout(1200),  # as many examples as `make fuzz` wants
    pytest.mark.no_cover,  # each line is covered by what is tried once
]
law = settings(
    settings.get_profile(settings.get_current_profile_name()),
    stateful_step_count=30,
    suppress_health_check=[*HealthCheck],
)

PATIENCE_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.05
EPOCH: Final = 1_800_000_000_000_000
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
OPTIONS: Final = (
    HistoryOptions(seconds=60, v2=True),
    HistoryOptions(seconds=60),
    HistoryOptions(seconds=60, messages=3),
    HistoryOptions(seconds=60, most_bytes=30_000, v2=True),
    HistoryOptions(seconds=60, direct=False),
)
PROCESSES, CLIENTS = st.integers(0, 1), st.integers(0, 2)
CHANNELS = st.sampled_from(("group", "group and wide", "elsewhere and wide", "tenant", "everybody", *NAMES))

AHEAD: Final = "seconds-ahead"
TIME_OF_REDIS: Final = f"{{redis.call('TIME')[1] + (redis.call('GET', '{AHEAD}') or 0), redis.call('TIME')[2]}}"
SET_CLOCK: Final = f"""
redis.call('INCRBY', '{AHEAD}', ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1] * 1000) end
end
"""


class ProcessOnALoop(Process):
    """A process whose wall clock is that of the loop."""

    def microseconds(self) -> int:
        return EPOCH + round(asyncio.get_running_loop().time() * SECOND) + self.ahead_microseconds


class World(RuleBasedStateMachine):
    """All that may happen."""

    server: RedisServer
    loop: SkippingLoop
    prefixes: Iterator[int] = count()

    def __init__(self) -> None:
        super().__init__()
        self.texts = count(1)
        self.processes: list[Process] = []
        self.proxies: list[Proxy] = []
        self.lives: list[AsyncExitStack] = []
        self.visitors: list[Visitor] = []
        self.stack = AsyncExitStack()

    def _do(self, what: Coroutine[Any, Any, Any]) -> None:
        async def in_time() -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await what

        self.loop.run_until_complete(in_time())

    @initialize(options=st.sampled_from(OPTIONS), chance=st.integers(0, 255))
    def begin(self, options: HistoryOptions, chance: int) -> None:
        self.server.execute("FLUSHALL")
        self.loop.begin_anew(chance)
        self.prefix, self.events = f"law-{next(self.prefixes)}", Events(options)
        self.visitors = [Visitor(name, "v2" if name == "vic" else "v3", self.events) for name in NAMES]
        self._do(self._begin())

    async def _begin(self) -> None:
        for number in range(2):
            self.proxies.append(await self.stack.enter_async_context(proxy_to(self.server.port)))
            self.lives.append(AsyncExitStack())
            self.processes.append(await self._live(number))
        await self._until_whole()

    async def _live(self, number: int) -> Process:
        process = ProcessOnALoop(self.proxies[number].url, self.prefix, self.events.options)
        process.ahead_microseconds = number
        await self.lives[number].enter_async_context(running(process))
        return process

    async def _until_whole(self) -> None:
        while not all(process.is_whole for process in self.processes):
            await asyncio.sleep(LOOK_SECONDS)

    def _channels(self, where: str) -> list[bytes]:
        addresses = self.processes[0].addresses
        wide = addresses.everyone_on_v2(TENANT)
        return {
            "group": [addresses.group(TENANT, GROUP)],
            "group and wide": [addresses.group(TENANT, GROUP), wide],
            "elsewhere and wide": [addresses.group(TENANT, "elsewhere"), wide],
            "tenant": [addresses.broadcast(TENANT)],
            "everybody": [addresses.platform],
        }.get(where) or [addresses.client(TENANT, where)]

    @rule(process=PROCESSES, said=st.lists(CHANNELS, min_size=1, max_size=6), size=st.sampled_from((1, 1, 1, 4_000)))
    def say(self, process: int, said: list[str], size: int) -> None:
        """In one turn of the loop; nobody waits for the answers."""
        self._do(self._say(process, said, size))

    async def _say(self, process: int, said: list[str], size: int) -> None:
        for where in said:
            one = Said(f"{next(self.texts)}".ljust(size), self._channels(where), process, self.events.now())
            self.events.said[one.text] = one
            group = "elsewhere" if where == "elsewhere and wide" else GROUP
            target = "direct" if where in NAMES else "group" if "group" in where or "wide" in where else "broadcast"
            more = {"target": target} | ({"to_id": where} if where in NAMES else {})
            answered = partial(self._answered, one)
            one.sent_at = self.processes[process].publish(one.channels, one.text, answered, group, **more)
        await asyncio.sleep(0)

    def _answered(self, one: Said, reply: Any) -> None:
        one.answered, one.heard_by = self.events.now(), reply

    @rule(seconds=st.sampled_from((0.0, 0.0, 0.002, 0.02, 0.1, 1.0, 6.0)))
    def wait(self, seconds: float) -> None:
        self._do(asyncio.sleep(seconds))

    @rule(visitor=CLIENTS, process=PROCESSES, as_new=st.integers(0, 5))
    def come(self, visitor: int, process: int, as_new: int) -> None:
        if not self.visitors[visitor].is_in:
            self._do(self.visitors[visitor].come(process, self.processes[process], as_new=as_new == 1))

    @rule(visitor=CLIENTS)
    def go(self, visitor: int) -> None:
        self._do(self._go(self.visitors[visitor]))

    async def _go(self, visitor: Visitor) -> None:
        if visitor.is_in:
            visitor.go(self.processes[visitor.home])

    @rule(visitor=CLIENTS, becomes=st.sampled_from(("v3", "v2")))
    def send_away(self, visitor: int, becomes: Language) -> None:
        self._do(self._send_away(self.visitors[visitor], becomes))

    async def _send_away(self, visitor: Visitor, becomes: Language) -> None:
        if visitor.is_in and not visitor.is_leaving:
            visitor.send_away(self.processes[visitor.home], becomes)

    @rule(visitor=CLIENTS)
    def ask_for_a_cursor(self, visitor: int) -> None:
        """As with a heartbeat; the answer may come later, or when it has gone."""
        self._do(self._ask(self.visitors[visitor]))

    async def _ask(self, visitor: Visitor) -> None:
        if not visitor.is_in or visitor.client.language != "v3":
            return
        process, connection, asked = self.processes[visitor.home], visitor.client.connection, self.events.now()

        def take(cursor: str | None) -> None:
            if visitor.client.connection is connection:
                visitor.keep(cursor, asked)

        process.continuity.cursor(visitor.client.channels(process), take)

    @rule(process=PROCESSES, which=st.sampled_from(("ear", "mouth", "both")))
    def lose_links(self, process: int, which: str) -> None:
        self.events.trouble()
        self._do(self._lose(process, which))

    async def _lose(self, process: int, which: str) -> None:
        one = self.processes[process]
        if which == "both":
            self.proxies[process].reset()
        if which == "ear":
            one.subscriber.end_link()
        if which == "mouth":
            one.bus.leave("a test")

    @rule(process=PROCESSES)
    def cut_off(self, process: int) -> None:
        """The process has no Redis until it is joined again."""
        self.events.trouble()
        self.proxies[process].swallow()
        self.proxies[process].reset()

    @rule(process=PROCESSES)
    def hold_up(self, process: int) -> None:
        """What Redis says to it stays on its way until it is joined again."""
        self.events.trouble()
        self.proxies[process].down.hold()

    @rule(process=PROCESSES)
    def join_again(self, process: int) -> None:
        proxy = self.proxies[process]
        if proxy.up.swallows:
            proxy.up.swallows = proxy.down.swallows = False
            proxy.reset()
        proxy.down.let_go()

    @rule(process=PROCESSES)
    def die(self, process: int) -> None:
        """And be started anew. Nobody is told of what it has said and was not answered."""
        self.events.trouble()
        self._do(self._die(process))

    async def _die(self, process: int) -> None:
        await self.lives[process].aclose()
        for visitor in self.visitors:
            if visitor.is_in and visitor.home == process:
                visitor.lose()
        for one in self.events.said.values():
            if one.speaker == process and not one.answered:
                self._answered(one, None)
        self.processes[process] = await self._live(process)

    @rule(where=CHANNELS, left=st.integers(0, 3))
    def trim(self, where: str, left: int) -> None:
        self.events.trouble()
        for channel in self._channels(where):
            name = self.processes[0].addresses.kept_under(channel).decode() + ":history"
            self.server.execute("XTRIM", name, "MAXLEN", left)

    @rule()
    def lose_everything(self) -> None:
        self.events.trouble()
        ahead = self.server.execute("GET", AHEAD)
        self.server.execute("FLUSHALL")
        self.server.execute("SET", AHEAD, ahead or 0)

    @rule()
    def forget_scripts(self) -> None:
        self.server.execute("SCRIPT", "FLUSH")

    @rule(seconds=st.sampled_from((-49 * 3600, -3600, -2, 2, 20, 50, 3600)))
    def set_the_clock_of_redis(self, seconds: int) -> None:
        """Forwards it is as if so much time had passed: what Redis keeps for a while may be over."""
        self.events.trouble()
        self.server.execute("EVAL", SET_CLOCK, 0, seconds)

    @rule(process=PROCESSES, microseconds=st.sampled_from((-HOUR, -2 * SECOND, 0, 2 * SECOND, HOUR)))
    def set_the_clock_of_a_process(self, process: int, microseconds: int) -> None:
        self.processes[process].ahead_microseconds = microseconds + process

    @precondition(lambda self: self.processes)
    @rule()
    def settle(self) -> None:
        self._do(self._settle())

    async def _settle(self) -> None:
        for process in range(2):
            self.join_again(process)
        await self._until_whole()
        while not all(one.answered for one in self.events.said.values()):
            await asyncio.sleep(LOOK_SECONDS)
        for process in self.processes:
            await process.settled()
        now = self.events.now()
        for visitor in self.visitors:
            if visitor.is_in:
                visitor.check(now)
        self.events.calm()

    def teardown(self) -> None:
        try:
            if self.visitors:
                self._do(self._end())
        finally:
            self.loop.run_until_complete(self._close())

    async def _close(self) -> None:
        for life in self.lives:
            await life.aclose()
        await self.stack.aclose()

    async def _end(self) -> None:
        await self._settle()
        for number, visitor in enumerate(self.visitors):
            if visitor.since or visitor.is_in:
                await self._go(visitor)
                await visitor.come(number % 2, self.processes[number % 2], as_new=False)
        await self._settle()


@pytest.fixture
def world(redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[World]]:
    """A world with a Redis whose clock can be set."""
    for script in (history.SAY, history.BEGIN, history.READ):
        source = script.source.replace("redis.call('TIME')", TIME_OF_REDIS)
        monkeypatch.setattr(script, "source", source)
        monkeypatch.setattr(script, "digest", sha1(source.encode(), usedforsecurity=False).hexdigest())
    monkeypatch.setattr(watermarks, "_TIME", pack("EVAL", f"return {TIME_OF_REDIS}", 0))
    World.server = redis_server()
    World.loop = SkippingLoop(World.server.port)
    yield World
    World.loop.close()


def test_whatever_happens_no_loss_is_unannounced_and_nothing_is_heard_twice(world: type[World]) -> None:
    run_state_machine_as_test(world, settings=law)  # type: ignore[no-untyped-call]
