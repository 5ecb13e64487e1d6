"""Whatever happens, in any order: no loss is unannounced, nothing is heard twice, and `complete` is never a lie.

Two processes and three clients, against a Redis that is maltreated. Links are lost, cut off and held up; histories are
trimmed, lost, too small; scripts are forgotten; clocks jump; processes die; clients are sent away and come back, also
in the other language; and messages are said all the while. Where nothing went wrong, everything is complete.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from hashlib import sha1
from itertools import count
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bridge.broker import history, watermarks
from bridge.broker.commands import pack
from bridge.broker.history import HistoryOptions
from bridge.continuity.missed import Kept
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
profile = settings.get_profile(settings.get_current_profile_name())

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
STEPS: Final = 30
EXAMPLES: Final = 10
"""Of each test: so many Hypothesis makes from nothing, and further ones mostly from those."""
PROCESSES, CLIENTS = st.integers(0, 1), st.integers(0, 2)
WAYS: Final = "by itself", "by itself", "v3", "v2", "as new"
Words = tuple[int, str, int]
"""Which process says something, where, and of what size."""
CHANNELS = st.sampled_from(("group", "group and wide", "elsewhere and wide", "tenant", "everybody", *NAMES))
SAID = st.lists(st.tuples(PROCESSES, CHANNELS, st.sampled_from((1, 1, 1, 4_000))), max_size=4)

AHEAD: Final = "seconds-ahead"
TIME_OF_REDIS: Final = f"{{redis.call('TIME')[1] + (redis.call('GET', '{AHEAD}') or 0), redis.call('TIME')[2]}}"
SET_CLOCK: Final = f"""
redis.call('INCRBY', '{AHEAD}', ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1] * 1000) end
end
"""


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what can only be looked at."""
    while not holds():  # noqa: ASYNC110 - what is looked at says nothing by itself
        await asyncio.sleep(LOOK_SECONDS)


class ProcessOnALoop(Process):
    """A process whose clock is that of the loop, which hardly moves; yet no two messages have the same time."""

    stamps: ClassVar[set[str]] = set()

    def stamp(self) -> str:
        while (stamp := super().stamp()) in self.stamps:
            pass
        self.stamps.add(stamp)
        return stamp

    def microseconds(self) -> int:
        return EPOCH + round(asyncio.get_running_loop().time() * SECOND) + self.ahead_microseconds


async def lose_the_ear(world: World, process: int) -> None:
    world.processes[process].subscriber.end_link()


async def lose_the_mouth(world: World, process: int) -> None:
    world.processes[process].bus.leave("a test")


async def lose_both_links(world: World, process: int) -> None:
    world.proxies[process].reset()


async def cut_off(world: World, process: int) -> None:
    """The process has no Redis until it is joined again."""
    world.proxies[process].swallow()
    world.proxies[process].reset()


async def hold_up(world: World, process: int) -> None:
    """What Redis says to it stays on its way until it is joined again."""
    world.proxies[process].down.hold()


async def end_trouble(world: World, process: int) -> None:
    join_again(world.proxies[process])


def join_again(proxy: Proxy) -> None:
    if proxy.up.swallows:
        proxy.up.swallows = proxy.down.swallows = False
        proxy.reset()
    proxy.down.let_go()


async def lose_everything(world: World, _process: int) -> None:
    ahead = world.server.execute("GET", AHEAD)
    world.server.execute("FLUSHALL")
    world.server.execute("SET", AHEAD, str(ahead or 0))


async def forget_scripts(world: World, _process: int) -> None:
    world.server.execute("SCRIPT", "FLUSH")


async def set_the_clock_of_redis(seconds: int, world: World, _process: int) -> None:
    """Forwards it is as if so much time had passed: what Redis keeps for a while may be over."""
    world.events.trouble(is_lasting=seconds < 0)
    world.server.execute("EVAL", SET_CLOCK, 0, seconds)


async def die(world: World, process: int) -> None:
    await world.die(process)


TROUBLES: Final[Mapping[str, Callable[[World, int], Coroutine[Any, Any, None]]]] = {
    trouble.__name__: trouble
    for trouble in (
        *(lose_the_ear, lose_the_mouth, lose_both_links, cut_off, hold_up, end_trouble),
        *(lose_everything, forget_scripts, die),
    )
} | {f"{seconds} s": partial(set_the_clock_of_redis, seconds) for seconds in (-49 * 3600, -3600, -2, 50, 3600)}
OFTEN: Final = 2 * ("lose_everything", "3600 s")


class World(RuleBasedStateMachine):
    """All that may happen."""

    options = HistoryOptions(seconds=60, v2=True)
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

    @initialize(chance=st.integers(0, 255))
    def begin(self, chance: int) -> None:
        self.server.execute("FLUSHALL")
        self.loop.begin_anew(chance)
        ProcessOnALoop.stamps.clear()
        self.prefix, self.events = f"law-{next(self.prefixes)}", Events(self.options)
        self.visitors = [Visitor(name, "v2" if name == "vic" else "v3", self.events) for name in NAMES]
        self._do(self._begin())

    async def _begin(self) -> None:
        for number in range(2):
            self.proxies.append(await self.stack.enter_async_context(proxy_to(self.server.port)))
            self.lives.append(AsyncExitStack())
            self.processes.append(await self._live(number))
        await self._until_whole()
        for number, visitor in enumerate(self.visitors):
            await visitor.come(number % 2, self.processes[number % 2], as_new=True)

    async def _live(self, number: int) -> Process:
        process = ProcessOnALoop(self.proxies[number].url, self.prefix, self.events.options)
        await self.lives[number].enter_async_context(running(process))
        return process

    async def _until_whole(self) -> None:
        await until(lambda: all(process.is_whole for process in self.processes))

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

    def _say(self, said: Sequence[Words]) -> None:
        """In one turn of the loop; nobody waits for the answers."""
        self._do(self._all_said(said))

    async def _all_said(self, said: Sequence[Words]) -> None:
        for process, where, size in said:
            one = Said(f"{next(self.texts)}".ljust(size), self._channels(where), process, self.events.now())
            self.events.said[one.text] = one
            group = "elsewhere" if where == "elsewhere and wide" else GROUP
            target = "direct" if where in NAMES else "group" if "group" in where or "wide" in where else "broadcast"
            more = {"target": target} | ({"to_id": where} if where in NAMES else {})
            answered = partial(self._answered, one)
            self.processes[process].publish(one.channels, one.text, answered, group, **more)
        await asyncio.sleep(0)

    def _answered(self, one: Said, reply: Any) -> None:
        one.answered, one.heard_by = self.events.now(), reply

    @rule(said=SAID, visitor=CLIENTS, process=PROCESSES, how=st.sampled_from(WAYS))
    def come_or_go(self, said: Sequence[Words], visitor: int, process: int, how: str) -> None:
        """By itself, or sent away: then it will come back in the one language or the other."""
        self._say(said)
        self._do(self._come_or_go(self.visitors[visitor], process, how))

    async def _come_or_go(self, visitor: Visitor, process: int, how: str) -> None:
        home = self.processes[visitor.home]
        if not visitor.is_in:
            await visitor.come(process, self.processes[process], as_new=how == "as new")
        elif how in ("v2", "v3"):
            visitor.send_away(home, "v2" if how == "v2" else "v3")
        else:
            visitor.go(home)

    @rule(said=SAID, visitor=CLIENTS)
    def ask_for_a_cursor(self, said: Sequence[Words], visitor: int) -> None:
        """As with a heartbeat; the answer may come later, or when it has gone."""
        self._say(said)
        self._do(self._ask(self.visitors[visitor]))

    async def _ask(self, visitor: Visitor) -> None:
        if visitor.is_in:
            visitor.ask(self.processes[visitor.home])

    @rule(said=SAID, seconds=st.sampled_from((0.0, 0.002, 0.02, 0.1, 1.0, 6.0, None, None)))
    def wait(self, said: Sequence[Words], seconds: float | None) -> None:
        """So long, or until all is well again."""
        self._say(said)
        self._do(self._settle() if seconds is None else asyncio.sleep(seconds))

    async def _settle(self) -> None:
        for proxy in self.proxies:
            join_again(proxy)
        await asyncio.sleep(LOOK_SECONDS)  # until then a process may not have noticed that its links are lost
        await self._until_whole()
        await until(lambda: all(one.answered for one in self.events.said.values()))
        for process in self.processes:
            await process.settled()
        now = self.events.now()
        for visitor in self.visitors:
            if (
                visitor.is_in and not visitor.is_leaving
            ):  # else it may hear nothing any more, and is told what it missed
                visitor.check(now)
        self.events.calm()

    @rule(said=SAID, what=st.sampled_from((*TROUBLES, *OFTEN)), process=PROCESSES)
    def go_wrong(self, said: Sequence[Words], what: str, process: int) -> None:
        self._say(said)
        self.events.trouble()
        self._do(TROUBLES[what](self, process))

    @rule(where=CHANNELS, left=st.integers(0, 3))
    def trim(self, where: str, left: int) -> None:
        self.events.trouble()
        for channel in self._channels(where):
            name = self.processes[0].addresses.kept_under(channel).decode() + ":history"
            self.server.execute("XTRIM", name, "MAXLEN", left)

    @rule(process=PROCESSES, microseconds=st.sampled_from((-HOUR, -2 * SECOND, 0, 2 * SECOND, HOUR)))
    def set_the_clock_of_a_process(self, process: int, microseconds: int) -> None:
        self.processes[process].ahead_microseconds = microseconds

    async def die(self, process: int) -> None:
        """A process dies, and is started anew. Nobody is told of what it has said and was not answered."""
        await self.lives[process].aclose()
        for visitor in self.visitors:
            if visitor.is_in and visitor.home == process:
                visitor.lose()
        for one in self.events.said.values():
            if one.speaker == process and not one.answered:
                self._answered(one, None)
        self.processes[process] = await self._live(process)

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
            if visitor.is_in:
                visitor.go(self.processes[visitor.home])
            if visitor.since:
                await visitor.come(number % 2, self.processes[number % 2], as_new=False)
        await self._settle()


@pytest.fixture
def redis_with_a_clock(redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Redis whose clock can be set, and the loop on which worlds are."""
    for script in (history.SAY, history.BEGIN, history.READ):
        source = script.source.replace("redis.call('TIME')", TIME_OF_REDIS)
        monkeypatch.setattr(script, "source", source)
        monkeypatch.setattr(script, "digest", sha1(source.encode(), usedforsecurity=False).hexdigest())
    monkeypatch.setattr(watermarks, "_TIME", pack("EVAL", f"return {TIME_OF_REDIS}", 0))
    World.server = redis_server()
    World.loop = SkippingLoop(World.server.port)
    yield
    World.loop.close()


def hold(number: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Let some worlds go on; those of another number are others."""
    world = type(f"World{number}", (World,), {"options": OPTIONS[number % len(OPTIONS)]})
    few = settings(
        profile,
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        suppress_health_check=[*HealthCheck],
        phases=phases,
    )
    run_state_machine_as_test(world, settings=few)


@pytest.mark.usefixtures("redis_with_a_clock")
@pytest.mark.parametrize("number", range(profile.max_examples // EXAMPLES))
def test_whatever_happens_no_loss_is_unannounced_and_nothing_is_heard_twice(number: int) -> None:
    hold(number)


@pytest.mark.usefixtures("redis_with_a_clock")
@pytest.mark.parametrize("is_proven", [True, False])
@pytest.mark.parametrize("what", ["lose_everything", "3600 s", "trim"])
def test_where_nothing_is_proven_it_is_found_out(monkeypatch: pytest.MonkeyPatch, what: str, is_proven: bool) -> None:  # noqa: FBT001
    """Without the proof a client that is away is told that it has missed nothing."""
    if not is_proven:
        monkeypatch.setattr(Kept, "is_whole_since", lambda *_: True)
    world = World()
    world.begin(0)
    world.ask_for_a_cursor([(0, "group", 1)], 0)
    world.wait([], None)
    world.come_or_go([], 0, 0, "by itself")
    world.wait([(0, "group", 1)], None)
    world.trim("group", 0) if what == "trim" else world.go_wrong([], what, 0)
    with nullcontext() if is_proven else pytest.raises(AssertionError, match=re.escape("ann misses ['2']")):
        world.come_or_go([(0, "group", 1)], 0, 1, "by itself")
    assert world.visitors[0].heard in (["1"], ["1", "3"])
    world.loop.run_until_complete(world._close())
