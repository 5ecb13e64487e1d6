"""No frame costs a process three times what plain text of its length costs it, whatever stands in it.

Measured on a running bridge with a listener of each language: the CPU time of the whole process for one message, from
the client's socket through Redis to the listeners. What seems to cost too much is measured again and again, beside the
text, and the medians count: so a busy machine changes little.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, key, with_key
from tests.servers import BridgeProcess
from tests.shapes import plain, v2_frames, v3_frames

SIZE = 60_000
MOST_RATIO = 3.0
MARGIN = 1.25
"""What two measurements of one thing may differ by where many share a machine."""
MESSAGES = 5
TRIES = 10
AGAIN = 20
"""Frames between two looks at what text costs."""
CONFIG = QUIET + UNHURRIED + key("acme", "acme")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs the CPU time of another process"),
    pytest.mark.timeout(300),
]


def cpu_nanoseconds(pid: int) -> int:
    """The CPU time of another process at rest: while it runs, what `clock_getcpuclockid(3)` gives on Linux lags."""
    stat = Path(f"/proc/{pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0)
    return time.clock_gettime_ns(~pid << 3 | 2)


class Room:
    """A speaker, and what one message of it costs."""

    def __init__(self, bridge: BridgeProcess, speaker: Client, listener: Client) -> None:
        self.bridge = bridge
        self.speaker = speaker
        self.listener = listener
        self._costs: defaultdict[str, list[int]] = defaultdict(list)

    async def cost(self, frame: str) -> float:
        """The median of what it cost so far."""
        before = cpu_nanoseconds(self.bridge.pid)
        for _ in range(MESSAGES):
            await self.speaker.say(frame)
        await self._done()
        self._costs[frame].append((cpu_nanoseconds(self.bridge.pid) - before) // MESSAGES)
        return median(self._costs[frame])

    async def _done(self) -> None:
        """The next thing that it says is heard: what came before it is over."""
        await self.speaker.say('{"msg_type":"msg","target":"group","cmd":"over","msg":"over"}')
        await asyncio.gather(*(self._hear_it(one) for one in (self.speaker, self.listener)))

    async def _hear_it(self, one: Client) -> None:
        while '"over"' not in (await one.hear_text())[:400]:
            pass

    async def too_dear(self, frames: Iterator[tuple[str, str]], text: str) -> dict[str, float]:
        """The frames that cost too much, and how much."""
        found, cost_of_text = {}, 0.0
        for _ in range(TRIES):
            cost_of_text = await self.cost(text)
        for number, (name, frame) in enumerate(frames):
            if number % AGAIN == 0:
                cost_of_text = await self.cost(text)
            ratio, tries = await self.cost(frame) / cost_of_text, 0
            while ratio > MOST_RATIO and tries < TRIES:
                ratio, tries = await self.cost(frame) / await self.cost(text), tries + 1
            if ratio > MOST_RATIO * MARGIN:
                found[name] = round(ratio, 1)
        return found


@pytest.fixture
async def rooms(bridge: StartBridge) -> AsyncIterator[dict[str, Room]]:
    process = bridge(config=CONFIG)
    async with AsyncExitStack() as ends:
        ann = await ends.enter_async_context(client(process, v3_path("team", "ann", with_key("acme"))))
        bob = await ends.enter_async_context(client(process, f"/ws/group/team/client/bob?{with_key('acme')}"))
        yield {"v3": Room(process, ann, bob), "v2": Room(process, bob, ann)}


async def test_no_v3_frame_costs_three_times_what_text_costs(rooms: dict[str, Room]) -> None:
    text = f'{{"msg_type":"msg","target":"group","msg":"{plain(SIZE)}"}}'
    assert await rooms["v3"].too_dear(v3_frames(SIZE), text) == {}


async def test_no_v2_frame_costs_three_times_what_text_costs(rooms: dict[str, Room]) -> None:
    assert await rooms["v2"].too_dear(v2_frames(SIZE), f'{{"msg":"{plain(SIZE)}"}}') == {}
