"""Two processes, their Redis and a population, on which a row of faults is played; and what must hold afterwards."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import httpx
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from tests.end_to_end.clients import eventually
from tests.end_to_end.configuration import api_key, key
from tests.faults.baseline import OUR_NAME, State, metrics_of, state
from tests.faults.doors import Door
from tests.faults.judge import LAWS, Verdict, described, judge
from tests.faults.members import Member, Sayings
from tests.faults.population import MEMBERS, Population
from tests.forking import Forked
from tests.hostile.bridges import Attacked
from tests.proxy import Proxy, StoppingProxy, proxy_to, stopping_proxy
from tests.servers import RedisServer
from tests.stopwatch import within

CONFIG: Final = "v2_replay = true\n"
DRAIN_SECONDS: Final = 1.0
"""For whom has left nothing need be waited for."""
BASELINE_SECONDS: Final = 60.0
"""Patience: what is to go is gone sooner."""
ROW_SECONDS: Final = 240
TRIES: Final = 3
"""So often a row is played without its defence, until its law does not hold: a fault need not do harm each time."""
UNDEFENDED_SECONDS: Final = 5.0
"""So long it is waited for what does not come."""
ONE_WAY_SECONDS: Final = 0.05
TOLD_SECONDS: Final = 2.0
BACK_SECONDS: Final = 2.0
PRESENCE_SECONDS: Final = 20.0


class Broken(AssertionError):
    """A law does not hold. `law` is its name."""

    def __init__(self, law: str, why: str = "") -> None:
        super().__init__(f"{law}: {why}" if why else law)
        self.law: Final = law


class FaultyBridge(Attacked):
    """A bridge that is maltreated, with all its defences or without one of `undefended.py`.

    `haste` is what is done sooner there, by its name. At `redis_port` it finds Redis.
    """

    program = "tests.faults.undefended"
    haste = ""
    redis_port = 0

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        changed = "+".join(filter(None, (self.haste, self.without)))
        if not changed:
            return super().begin(log)
        return Forked([changed, *self.command()], self.directory, self.environment(), log, self.program)


@dataclass(frozen=True)
class Staged:
    """How a row is set.

    `config`: text of bridge.toml. `proxied`: between processes and Redis is a proxy each. `is_held_up`: the first
    process has one that can stand still. `has_another`: there is another Redis. `is_far`: between clients and processes
    are proxies, which take `ONE_WAY_SECONDS`. `tenants`: each has all these members. `redis_options`: of its program.
    `drain_seconds`: as configured. `haste`: what is done sooner, see `undefended.py`.
    """

    config: str = ""
    proxied: bool = False
    is_held_up: bool = False
    has_another: bool = False
    is_far: bool = False
    members: Mapping[Door, int] = field(default_factory=lambda: MEMBERS)
    tenants: Sequence[str] = ()
    redis_options: Sequence[str] = ()
    drain_seconds: float = DRAIN_SECONDS
    haste: str = ""


@dataclass
class Scene:
    """The servers and the people. `proxies`: where each process finds Redis, if not at its own address.

    `standing`: where the first does, if it can stand still. `breaks`: the law that does not hold, since its defence is
    taken out.
    """

    redis: RedisServer
    asking: Redis
    prefix: str
    bridges: list[FaultyBridge]
    proxies: list[Proxy]
    populations: list[Population]
    breaks: str
    standing: StoppingProxy | None = None
    other_redis: RedisServer | None = None

    @property
    def is_defended(self) -> bool:
        return not self.breaks

    @property
    def another(self) -> RedisServer:
        assert self.other_redis is not None
        return self.other_redis

    @property
    def population(self) -> Population:
        return self.populations[0]

    @property
    def members(self) -> list[Member]:
        return [member for population in self.populations for member in population.members]

    def times(self, number: int) -> int:
        """How often a fault is repeated; to see that it can do harm, not so often."""
        return number if self.is_defended else max(1, number // 5)

    @asynccontextmanager
    async def law(self, name: str, seconds: float | None = None) -> AsyncIterator[None]:
        """What is done or asserted here holds, within so many seconds."""
        try:
            async with self._limit(name, seconds):
                yield
        except (AssertionError, TimeoutError) as error:
            raise Broken(name, str(error)) from error

    def _limit(self, name: str, seconds: float | None) -> AbstractAsyncContextManager[object]:
        if seconds is None:
            return nullcontext()
        return asyncio.timeout(min(seconds, UNDEFENDED_SECONDS)) if name == self.breaks else within(seconds)

    def of_process(self, process: int) -> list[Member]:
        """The members who are connected to it first of all."""
        return self.members[process :: len(self.bridges)]

    async def ask_redis(self, *command: str | int) -> Any:
        """One command, over a connection that is kept."""
        return await cast(Any, self.asking).execute_command(*command)

    async def ask_at(self, server: RedisServer) -> None:
        """From now on the commands go there."""
        await self.stop_asking()
        self.asking = asking_at(server)

    async def stop_asking(self) -> None:
        with suppress(TimeoutError):  # a transport that was lost meanwhile may never say that it is closed
            async with asyncio.timeout(BACK_SECONDS):
                await self.asking.aclose()

    async def metric(self, process: int, name: str, **labels: str) -> float:
        """The sum of a metric of one process, over the labels that are not given."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = (await metrics_of(self.bridges[process])).splitlines()
        mine = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in mine if all(one in line for one in wanted))

    async def until_metric(self, process: int, name: str, value: float) -> None:
        async def reached() -> bool:
            return await self.metric(process, name) == value

        await eventually(reached, BASELINE_SECONDS)

    async def subscribers(self) -> int:
        """How many links Redis knows on which a process listens."""
        return len(await cast(Any, self.asking).client_list(_type="pubsub"))

    async def all_hear(self) -> None:
        """Something that is said on each process only now is heard by all."""
        speakers = self.population.by_door("v3")[:2]
        await asyncio.gather(*(self.population.all_hear(speaker) for speaker in speakers))

    async def is_told(self, speaker: Member) -> None:
        """Something that it says now is refused as `bus_down`."""
        said = await speaker.say(("group", speaker.book.group))
        await speaker.until(lambda _: said is not None and said.refusal == "bus_down")

    async def presence_is_whole(self, *processes: int) -> None:
        """Each process knows that all are present who are connected, and nobody else."""
        living = [one for population in self.populations for one in population.living if one.door.way != "events"]
        expected = {group: {one.book.name for one in living if one.book.group == group} for group in ("talk", "side")}

        async def whole() -> bool:
            answers = [await self.present(process, group) for process in processes or (0, 1) for group in expected]
            return answers == [*expected.values()] * (len(processes) or 2)

        async with self.law("presence", PRESENCE_SECONDS):
            await eventually(whole, BASELINE_SECONDS)

    async def present(self, process: int, group: str) -> set[str]:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.bridges[process].url}/v3/presence/group/{group}")
        return {one["client_id"] for one in answer.json()["members"]} if answer.status_code == 200 else set()

    async def readiness(self, process: int) -> int:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{self.bridges[process].url}/readyz")).status_code

    async def until_ready(self, status: int = 200) -> None:
        async def holds() -> bool:
            return [await self.readiness(process) for process in range(len(self.bridges))] == [status] * 2

        await eventually(holds, BASELINE_SECONDS)

    async def end(self, before: State) -> None:
        """The laws hold, and when everybody has left it is as it was before."""
        await asyncio.gather(*(population.settle() for population in self.populations))
        if self.is_defended:
            await self._everybody_is_told()
        self.judge()
        await asyncio.gather(*(population.leave() for population in self.populations))
        if self.is_defended:
            await self.is_as(before)

    async def _everybody_is_told(self) -> None:
        """What was said on another server is announced once each process has read of the others' moves."""

        async def holds() -> bool:
            return not self.verdict().of("unannounced")

        with suppress(TimeoutError):
            await eventually(holds, BASELINE_SECONDS)

    def verdict(self) -> Verdict:
        return judge(self.population.sayings.by_number, [member.book for member in self.members])

    def judge(self) -> Verdict:
        sayings = self.population.sayings.by_number
        verdict = self.verdict()
        for name in LAWS:
            if breaches := verdict.of(name):
                raise Broken(name, described(breaches, sayings))
        return verdict

    async def is_as(self, before: State) -> None:
        now = before

        async def holds() -> bool:
            nonlocal now
            now = await self.state()
            return not now.beyond(before)

        try:
            await eventually(holds, BASELINE_SECONDS)
        except TimeoutError:
            raise Broken("left behind", now.beyond(before)) from None

    async def state(self) -> State:
        return await state({bridge: bridge.redis_port for bridge in self.bridges}, self.asking, self.prefix)


def asking_at(server: RedisServer) -> Redis:
    """Asks there, also if it has been started anew meanwhile."""
    return Redis.from_url(server.url, client_name=OUR_NAME, retry=Retry(ConstantBackoff(0.1), 10))


class Stage:
    """Builds scenes, for one test."""

    def __init__(self, directory: Path, prefix: str) -> None:
        self._directory = directory
        self._prefix = prefix

    @asynccontextmanager
    async def play(
        self, staged: Staged, without: str = "", settings: str = "", breaks: str = ""
    ) -> AsyncIterator[Scene]:
        """A scene on which everybody is in, and where in the end all laws hold.

        `without` one defence its servers are held to nothing more; nor with `settings` that replace one.
        """
        async with AsyncExitStack() as ends:
            scene = await self._build(ends, staged, without, settings, breaks)
            before = await scene.state()
            await asyncio.gather(*(population.come() for population in scene.populations))
            try:
                yield scene
                await scene.end(before)
            except BaseException:
                for bridge in scene.bridges:
                    bridge.kill()  # nobody says goodbye to it
                raise

    async def _build(self, ends: AsyncExitStack, staged: Staged, without: str, settings: str, breaks: str) -> Scene:
        redis, another = (RedisServer(self._directory / name, *staged.redis_options) for name in ("redis", "another"))
        for server in (redis, another) if staged.has_another else (redis,):
            ends.callback(server.kill)
            server.start()
        proxies = [await ends.enter_async_context(proxy_to(redis.port)) for _ in range(2 * staged.proxied)]
        standing = ends.enter_context(stopping_proxy(redis.port)) if staged.is_held_up else None
        urls = [proxy.url for proxy in proxies] or [redis.url] * 2
        if standing is not None:
            urls[0] = f"redis://127.0.0.1:{standing.port}/0"
        bridges = [self._bridge(number, url, staged, without, settings) for number, url in enumerate(urls)]
        ends.push_async_callback(_close, bridges)
        for bridge in bridges:
            bridge.start(wait=False)
        await asyncio.gather(*(asyncio.to_thread(one.wait_until_ready) for one in bridges))
        doors = [await ends.enter_async_context(_far(bridge)) for bridge in bridges] if staged.is_far else bridges
        populations = _populations(doors, staged)
        for population in populations:
            ends.push_async_callback(population.leave)
        asking = asking_at(redis)
        scene = Scene(redis, asking, self._prefix, bridges, proxies, populations, breaks, standing, another)
        ends.push_async_callback(scene.stop_asking)
        return scene

    def _bridge(self, number: int, redis_url: str, staged: Staged, without: str, settings: str) -> FaultyBridge:
        home = self._directory / f"bridge-{number}"
        environment = {"BRIDGE_PREFIX": self._prefix, "BRIDGE_DATA_DIR": str(home / "data")}
        config = f"drain_seconds = {staged.drain_seconds}\n" + settings + CONFIG + staged.config
        config += _tenants(staged.tenants)
        bridge = FaultyBridge(home, "--redis", redis_url, "--socketio", config=config, environment=environment)
        bridge.without, bridge.haste = without or None, staged.haste
        bridge.redis_port = httpx.URL(redis_url).port or 0
        return bridge


async def _close(bridges: Sequence[FaultyBridge]) -> None:
    await asyncio.gather(*(asyncio.to_thread(one.close) for one in bridges))


@asynccontextmanager
async def _far(bridge: FaultyBridge) -> AsyncIterator[Proxy]:
    async with proxy_to(bridge.port) as proxy:
        proxy.up.delay_seconds = proxy.down.delay_seconds = ONE_WAY_SECONDS
        yield proxy


def _tenants(names: Sequence[str]) -> str:
    return "".join(f"[tenants.{name}]\n" for name in names) + "".join(key(name, name) for name in names)


def _populations(doors: Sequence[Any], staged: Staged) -> list[Population]:
    sayings = Sayings()
    if not staged.tenants:
        return [Population(doors, staged.members, sayings)]
    return [Population(doors, staged.members, sayings, name, api_key(name)) for name in staged.tenants]


def row(
    *, without: str = "", breaks: str = "", staged: Staged | None = None, settings: str = ""
) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """A row of faults: played once, where all laws hold; and once without a defence, where the law `breaks` does not.

    With `settings` these are what takes the defence out; else it is one of `undefended.py`. Without either it is played
    once: there are several defences, and each is enough.
    """

    def make(play: Callable[..., Awaitable[None]]) -> Any:
        async def test(stage: Stage, defence: str, **more: Any) -> None:
            if not defence:
                async with stage.play(staged or Staged()) as scene:
                    await play(scene, **more)
                return
            broken = ""
            for _ in range(TRIES):
                try:
                    async with stage.play(staged or Staged(), "" if settings else defence, settings, breaks) as scene:
                        await play(scene, **more)
                except Broken as error:
                    broken = error.law
                    break
            assert broken == breaks

        fixtures = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("stage", "defence")]
        more = [one for name, one in inspect.signature(play).parameters.items() if name != "scene"]
        signature = inspect.Signature([*fixtures, *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in more)])
        test.__doc__ = play.__doc__
        test.__setattr__("__signature__", signature)
        marked = pytest.mark.timeout(ROW_SECONDS)(test)
        defences = {"held": ""} | ({f"without {without}": without} if without else {})
        return pytest.mark.parametrize("defence", list(defences.values()), ids=list(defences))(marked)

    return make
