"""`python -m tests.faults.soak SECONDS`: churn over all doors with a fault every few seconds, and what is left of it.

Members break off and come back, strangers come and go, one tenant is flipped, other configurations are read, Redis
(which keeps its data) and one of the two processes are started anew, again and again, in cycles that are all alike.
What was seen is written to `SOAK.md`. The exit status is 1 if a law of `judge.py` did not hold, or if something grew:
what the processes and Redis hold in the last cycles is compared with the cycles after the warm-up.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import Change, make
from bridge.tenants.standing import Standing
from tests.faults.baseline import metrics_of, tasks_in
from tests.faults.judge import counts
from tests.faults.members import break_off
from tests.faults.population import A_SECOND, MEMBERS, Population
from tests.faults.scene import Broken, Scene, Stage, Staged

REPORT: Final = Path(__file__).with_name("SOAK.md")
CYCLES, WARM_UP_CYCLES, COMPARED_CYCLES = 10, 3, 3
SAMPLES_A_CYCLE: Final = 6
"""One after each fault."""
GROWTH_PERCENT: Final = 5.0
BREAK_SECONDS: Final = 0.5
"""Pause between two members who break off."""
STRANGERS: Final = dict.fromkeys(MEMBERS, 1)
STRANGERS_SECONDS: Final = 10.0
"""How long strangers stay."""
KEPT_CYCLES: Final = 2
"""How long what was said is kept, so that the warm-up fills the histories."""
WITH_ITS_DATA: Final = ("--appendonly", "yes")
STANDINGS: Final = (Standing("drain", 0, "group"), Standing("bridge", 0, "global"))
BURST: Final = 200
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
        """As a line of the table, beneath `HEAD`."""
        held = [f"{self.resident_bytes / BYTES_OF_A_MEGABYTE:.1f}", self.files, self.tasks, self.keys]
        return "| " + " | ".join(map(str, [f"{self.seconds:.0f}", *held, *self.counts.values()])) + " |"


HEAD: Final = """| s | RSS, MB | files | tasks | keys | said | heard | refused | complete | incomplete | gaps |
|---|---|---|---|---|---|---|---|---|---|---|"""


HELD: Final = (
    "Lost unannounced: 0. Doubled: 0. Out of order: 0. Heard by whom it was not said to: 0. Left behind, when all had "
    "gone: nothing."
)


class Soak:
    """One run on one scene."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        self._scene = scene
        self._cycle_seconds = seconds / CYCLES
        self._began_at = time.monotonic()
        self._chance = random.Random(11)
        self._version = self._reloads = 0
        self._config = scene.bridges[0].config_file.read_text()
        self.members: Final = scene.population.members
        self.speakers: Final = scene.population.speakers
        self.samples: Final[list[Sample]] = []
        self.faults: Final[list[tuple[str, Callable[[], Awaitable[None]]]]] = [
            ("the tenant is flipped", self._flip),
            ("all subscriptions are killed", self._kill_subscriptions),
            ("another configuration is read", self._reload),
            ("Redis is killed and started anew, with its data", self._restart_redis),
            ("the tenant is flipped back", self._flip),
            ("the second process is started anew", self._restart_process),
        ]

    async def run(self) -> None:
        """All cycles."""
        for member in self.members:
            member.book.hears_all_groups = None
        async with self._scene.population.talking(), asyncio.TaskGroup() as tasks:
            churn = [tasks.create_task(self._break_off()), tasks.create_task(self._strangers())]
            for number in range(CYCLES * len(self.faults)):
                await self.faults[number % len(self.faults)][1]()
                ends_at = self._began_at + (number + 1) * self._cycle_seconds / len(self.faults)
                await asyncio.sleep(max(0.0, ends_at - time.monotonic()))
                await self._sample()
            for task in churn:
                task.cancel()

    async def _break_off(self) -> None:
        """One member after the other, without a word or with one."""
        breaking = [one for one in self.members if one not in self.speakers]
        while True:
            await asyncio.sleep(BREAK_SECONDS)
            await break_off(self._chance.choice(breaking))

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
        self._reloads += 1
        for bridge in self._scene.bridges:
            bridge.config_file.write_text(f"{self._config}burst = {BURST + self._reloads % 2}\n")
            bridge.process.send_signal(signal.SIGHUP)

    async def _restart_redis(self) -> None:
        await asyncio.to_thread(self._scene.redis.restart)
        await self._scene.asking.connection_pool.disconnect()

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
                sum(bridge.open_files for bridge in scene.bridges),
                sum(tasks_in(text) for text in metrics),
                int(await scene.ask_redis("DBSIZE")),
                dict(counts(scene.population.sayings.by_number, [member.book for member in scene.members])),
            )
        )


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """By how many percent each number grew, from the cycles after the warm-up to the last ones, on average."""
    warm = samples[WARM_UP_CYCLES * SAMPLES_A_CYCLE :][: COMPARED_CYCLES * SAMPLES_A_CYCLE]
    last = samples[-COMPARED_CYCLES * SAMPLES_A_CYCLE :]
    names = ("resident_bytes", "files", "tasks", "keys")
    before = {name: sum(getattr(sample, name) for sample in warm) for name in names}
    after = {name: sum(getattr(sample, name) for sample in last) for name in names}
    return {name: 100 * (after[name] / before[name] - 1) for name in names}


def is_level(grown: Mapping[str, float]) -> bool:
    """Whether nothing has grown by more than is noise."""
    return max(grown.values()) <= GROWTH_PERCENT


def report(seconds: float, soak: Soak, broken: str) -> str:
    """The text of `SOAK.md`."""
    grown = growth(soak.samples)
    verdict = "everything held" if not broken and is_level(grown) else "SOMETHING DID NOT HOLD"
    faults = "\n".join(f"- {name}" for name, _ in soak.faults)
    levels = "| | |\n|---|---|\n" + "\n".join(
        f"| {name.replace('_', ' ')} | {percent:+.1f} % |" for name, percent in grown.items()
    )
    table = "\n".join([HEAD, *(sample.row() for sample in soak.samples)])
    last = soak.samples[-1].counts
    scene = f"""Two processes with {len(soak.members)} members of all doors, of whom {len(soak.speakers)} say numbered
messages, about {A_SECOND:.0f} a second each. Every {BREAK_SECONDS} s one of the others breaks off and comes back. A
stranger of each door comes, stays for {STRANGERS_SECONDS:.0f} s, and never comes back; then the next ones. In each of
{CYCLES} cycles, one after the other:"""
    seen = f"""{last["said"]} messages were said, {last["heard"]} heard, {last["refused"]} refused: their speakers were
told. Who came back was told {last["complete"]} times that it has everything, {last["incomplete"]} times that it must
fetch anew; of a gap somebody was told {last["gaps"]} times."""
    compared = f"""How much more was held in the last {COMPARED_CYCLES} cycles than in the {COMPARED_CYCLES} after the
first {WARM_UP_CYCLES}, in which all gets warm (averages; RSS is that of the process that was never started anew; up to
{GROWTH_PERCENT:.0f} % is level):"""
    title = f"# The last soak\n\n`make soak SECONDS={seconds:.0f}` on {datetime.now(UTC):%Y-%m-%d}: **{verdict}**."
    parts = [title, filled(scene), faults, broken or filled(HELD), filled(seen), filled(compared), levels, table]
    return "\n\n".join(parts) + "\n"


def filled(text: str) -> str:
    """A paragraph, in lines of one length."""
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False)


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
    if soak is None or len(soak.samples) < CYCLES * SAMPLES_A_CYCLE:
        print(broken)
        return 1
    text = report(seconds, soak, broken)
    REPORT.write_text(text)
    print(text)
    return int(bool(broken) or not is_level(growth(soak.samples)))


if __name__ == "__main__":
    sys.exit(uvloop.run(main(float(sys.argv[1]))))
