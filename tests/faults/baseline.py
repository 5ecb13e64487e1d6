"""What a bridge and its Redis hold: files, tasks, links, keys, who is present. Compared before a fault and after it.

Must never count what is known to go by itself: keys that have a time to live.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
from redis.asyncio import Redis

from tests.servers import BridgeProcess

TASKS: Final = re.compile(r"^bridge_tasks (\d+)", re.MULTILINE)
CONNECTIONS: Final = re.compile(r"^bridge_(?:connections|event_streams)\{.*\} (\d+)", re.MULTILINE)


TO_STAY: Final = re.compile(r":(loss|tenants|tenant:.*|stage-changes|\{.*:record\}.*)$")


OUR_NAME: Final = "test"
"""By which the connection is known that asks."""
MOST_READING: Final = 4
"""Connections for reading that one process keeps though it does not use them."""


@dataclass(frozen=True)
class State:
    """Of all processes together. `files` without connections to Redis: what it has of them is in `links`, `reading`.

    One that Redis has ended is kept by the process until it wants to read with it.
    """

    files: int
    tasks: int
    connections: int
    links: int
    reading: int
    keys: frozenset[str]
    present: frozenset[str]

    def beyond(self, before: State) -> str:
        """What is more than it was; empty if nothing was left behind."""
        numbers = {
            "files": (self.files, before.files),
            "tasks": (self.tasks, before.tasks),
            "connections": (self.connections, before.connections),
            "links": (self.links, before.links),
            "reading": (self.reading, max(before.reading, 2 * MOST_READING)),
        }
        more = [f"{name}: {now}, and before {was}" for name, (now, was) in numbers.items() if now > was]
        return "; ".join([*more, *sorted(self.keys - before.keys), *sorted(self.present - before.present)])


async def state(bridges: Mapping[BridgeProcess, int], redis: Redis, prefix: str) -> State:
    """How it is now. `bridges`: with the port at which each finds Redis."""
    metrics = [await metrics_of(bridge) for bridge in bridges]
    keys = await lasting_keys(redis, prefix)
    files = sum(files_but_for(port, bridge.pid) for bridge, port in bridges.items())
    names = [one["name"] for one in await cast(Any, redis).client_list() if one["name"] != OUR_NAME]
    links = [name for name in names if name.startswith("aether-bridge-")]
    return State(
        files,
        sum([tasks_in(text) for text in metrics]),
        sum(int(number) for text in metrics for number in CONNECTIONS.findall(text)),
        len(links),
        len(names) - len(links),
        frozenset(key for key in keys if not key.endswith(":presence")),
        frozenset([name for key in keys if key.endswith(":presence") for name in await members(redis, key)]),
    )


async def lasting_keys(redis: Redis, prefix: str) -> list[str]:
    """The names of all keys without a time to live, but for what is known of tenants, and that something was lost."""
    found = [key.decode() async for key in redis.scan_iter(match=f"{prefix}:*", count=1_000)]
    keys = [key for key in found if not TO_STAY.search(key)]
    lives = [await redis.ttl(key) for key in keys]
    return [key for key, seconds in zip(keys, lives, strict=True) if seconds == -1]


async def members(redis: Redis, key: str) -> list[str]:
    return [member.decode() for member in cast(list[bytes], await redis.zrange(key, 0, -1))]


def tasks_in(metrics: str) -> int:
    """How many tasks a process says that it has."""
    return sum(int(number) for number in TASKS.findall(metrics))


async def metrics_of(bridge: BridgeProcess) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{bridge.url}/metrics")).text


def files_but_for(port: int, pid: int) -> int:
    """The open files of a process without its connections to this port, also those that the other side has ended."""
    table = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in table if int(row[2].partition(":")[2], 16) == port}
    names = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed just now
            names.append(str(file.readlink()))
    return sum(name not in sockets for name in names)
