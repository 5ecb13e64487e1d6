"""`python -m tests.faults.soak SECONDS`: churn over all doors with a fault every few seconds, and what is left of it.

Members break off and come back, strangers come and go, one tenant is flipped, configurations are read anew, Redis (which
keeps its data) and one of the two processes are started anew, again and again, in cycles that are all alike. What was
seen is written to `SOAK.md`. The exit status is 1 if a law of `judge.py` did not hold, or if something grew: what the
processes and Redis hold in the last cycle is compared with the cycle after which the warm-up ends.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import Change, make
from bridge.tenants.standing import Standing
from tests.faults.baseline import metrics_of, open_files, tasks_in
from tests.faults.judge import counts
from tests.faults.members import break_off
from tests.faults.population import MEMBERS, Population
from tests.faults.scene import Broken, Scene, Stage, Staged

REPORT: Final = Path(__file__).with_name("SOAK.md")
CYCLES, WARM_UP_CYCLES = 10, 4
SAMPLES_A_CYCLE: Final = 6
GROWTH_PERCENT: Final = 5.0
BREAK_SECONDS: Final = 0.5
"""Pause between two members who break off."""
STRANGERS: Final = {door: 1 for door in MEMBERS}
STRANGERS_SECONDS: Final = 10.0
"""How long strangers stay."""
KEPT_CYCLES: Final = 2
"""How long what was said is kept, so that the warm-up fills the histories."""
WITH_ITS_DATA: Final = ("--appendonly", "yes")
STANDINGS: Final = (Standing("drain", 0, "group"), Standing("bridge", 0, "global"))
PAGE_BYTES: Final = 4_096
BYTES_OF_A_MEGABYTE: Final = 1_048_576


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment. `resident_bytes`: of the process that is never started anew."""

    seconds: float
    resident_bytes: int
    files: int
    tasks: int
    keys: int
    counts: dict[str, int]

    def row(self) -> str:
        """As a line of the table."""
        held = [f"{self.resident_bytes / BYTES_OF_A_MEGABYTE:.1f}", self.files, self.tasks, self.keys]
        return "| " + " | ".join(map(str, [f"{self.seconds:.0f}", *held, *self.counts.values()])) + " |"


HEAD: Final = """| s | RSS, MB | files | tasks | keys | said | heard | refused | complete | incomplete | gaps |
|---|---|---|---|---|---|---|---|---|---|---|"""


class Soak:
    """One run on one scene."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        self._scene = scene
        self._cycle_seconds = seconds / CYCLES
        self._began_at = time.monotonic()
        self._chance = random.Random(11)
        self._version = 0
        self.samples: Final[list[Sample]] = []
        self.faults: Final[list[tuple[str, Callable[[], Awaitable[None]]]]] = [
            ("the tenant is flipped", self._flip),
            ("all subscriptions are killed", self._kill_subscriptions),
            ("the configuration is read anew", self._reload),
            ("Redis is started anew", self._restart_redis),
            ("the tenant is flipped back", self._flip),
            ("the second process is started anew", self._restart_process),
        ]

    async def run(self) -> None:
        """All cycles."""
        population = self._scene.population
        for member in population.members:
            member.book.hears_all_groups = None
        async with population.talking(), asyncio.TaskGroup() as tasks:
            churn = [tasks.create_task(self._break_off()), tasks.create_task(self._strangers())]
            for _ in range(CYCLES):
                for _, fault in self.faults:
                    await fault()
                    await asyncio.sleep(self._cycle_seconds / len(self.faults))
                    await self._sample()
            for task in churn:
                task.cancel()

    async def _break_off(self) -> None:
        """One member after the other, without a word or with one."""
        stable = self._scene.population.speakers
        while True:
            await asyncio.sleep(BREAK_SECONDS)
            await break_off(self._chance.choice([one for one in self._scene.population.members if one not in stable]))

    async def _strangers(self) -> None:
        """One of each door, who come, stay for a while, and never come back."""
        number = 0
        while True:
            number += 1
            strangers = Population(self._scene.bridges, STRANGERS, self._scene.population.sayings, surname=f"-{number}")
            for member in strangers.members:
                member.book.hears_all_groups = None
            self._scene.populations.append(strangers)
            try:
                await strangers.come()
                await asyncio.sleep(STRANGERS_SECONDS)
            finally:
                for member in strangers.members:
                    member.book.left_at = time.time()
                await strangers.leave()

    async def _flip(self) -> None:
        before, after = STANDINGS[self._version % 2 - 1], STANDINGS[self._version % 2]
        change = Change("default", self._version, "ann", "", before, after, "soak")
        await make(self._scene.asking, Addresses(self._scene.prefix), change)
        self._version += 1

    async def _kill_subscriptions(self) -> None:
        await self._scene.ask_redis("CLIENT", "KILL", "TYPE", "pubsub")

    async def _reload(self) -> None:
        for bridge in self._scene.bridges:
            bridge.process.send_signal(signal.SIGHUP)

    async def _restart_redis(self) -> None:
        await asyncio.to_thread(self._scene.redis.restart)

    async def _restart_process(self) -> None:
        second = self._scene.bridges[1]
        if await asyncio.to_thread(second.terminate) != 0:
            raise Broken("ends with 0", second.log)
        await asyncio.to_thread(second.start)

    async def _sample(self) -> None:
        scene = self._scene
        metrics = [await metrics_of(bridge) for bridge in scene.bridges]
        self.samples.append(
            Sample(
                time.monotonic() - self._began_at,
                resident_bytes(scene.bridges[0].pid),
                sum(open_files(bridge.pid) for bridge in scene.bridges),
                sum(tasks_in(text) for text in metrics),
                int(await scene.ask_redis("DBSIZE")),
                dict(counts(scene.population.sayings.by_number, [member.book for member in scene.members])),
            )
        )


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """By how many percent each number grew, from the cycle after which the warm-up ends to the last one, on average."""
    warm = samples[: WARM_UP_CYCLES * SAMPLES_A_CYCLE][-SAMPLES_A_CYCLE:]
    last = samples[-SAMPLES_A_CYCLE:]
    names = ("resident_bytes", "files", "tasks", "keys")
    before = {name: sum(getattr(sample, name) for sample in warm) for name in names}
    after = {name: sum(getattr(sample, name) for sample in last) for name in names}
    return {name: 100 * (after[name] / before[name] - 1) for name in names}


def report(seconds: float, soak: Soak, broken: str) -> str:
    """The text of `SOAK.md`."""
    grown = growth(soak.samples)
    levels = [
        f"- {name.replace('_', ' ')}: {percent:+.1f} % ({'level' if percent <= GROWTH_PERCENT else 'GROWN'})"
        for name, percent in grown.items()
    ]
    return "\n".join(
        [
            "# The last soak",
            "",
            f"`make soak SOAK_SECONDS={seconds:.0f}`: {CYCLES} cycles, in each of which "
            + "; ".join(name for name, _ in soak.faults)
            + ". All the while members of all doors break off and come back, and strangers come and go.",
            "",
            f"Laws: {broken or 'nothing was lost unannounced, doubled or shuffled, and nothing was left behind'}.",
            "",
            f"From the end of the warm-up (cycle {WARM_UP_CYCLES}) to the end, averages of a cycle; "
            "RSS is that of the process that was never started anew:",
            "",
            *levels,
            "",
            HEAD,
            *(sample.row() for sample in soak.samples),
            "",
        ]
    )


async def main(seconds: float) -> int:
    """One run; the exit status."""
    kept_seconds = max(2, round(KEPT_CYCLES * seconds / CYCLES))
    staged = Staged(f"history_seconds = {min(120, kept_seconds)}\n", redis_options=WITH_ITS_DATA)
    broken, soak = "", None
    with tempfile.TemporaryDirectory() as directory:
        try:
            async with Stage(Path(directory), "soak").play(staged) as scene:
                soak = Soak(scene, seconds)
                await soak.run()
        except Broken as error:
            broken = str(error)
    if soak is None:
        print(broken)
        return 1
    text = report(seconds, soak, broken)
    REPORT.write_text(text)
    print(text)
    return int(bool(broken) or max(growth(soak.samples).values()) > GROWTH_PERCENT)


if __name__ == "__main__":
    sys.exit(uvloop.run(main(float(sys.argv[1]))))
