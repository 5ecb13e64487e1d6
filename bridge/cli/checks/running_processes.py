"""Checks whether the running processes go by the configuration that a command has read, and by the same one.

It compares hashes (`config/reload.py`) alone, and has no process read anything.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bridge.broker.addresses import Addresses
from bridge.broker.configuration_marks import read_marks
from bridge.cli.checks.finding import Finding, ok, warn
from bridge.config.reload import hash_of
from bridge.config.settings import Settings

REMEDY = "have them read it anew: `systemctl reload`, SIGHUP, or POST /admin/api/reload"


def look(url: str, settings: Settings) -> Iterator[Finding]:
    """Findings about the configuration of the processes at this Redis; none if it cannot be asked."""
    own = hash_of(settings)
    yield ok("configuration", f"{own} is the hash of what was read here")
    try:
        marks = asyncio.run(_marks(url, settings.prefix))
    except (RedisError, OSError, ValueError):
        return  # `redis_server` has said so
    yield from judge(own, marks)


def judge(own: str, marks: Mapping[str, str]) -> Iterator[Finding]:
    """Findings about these marks (process -> hash), compared with the hash `own`."""
    by_hash = defaultdict(list)
    for process, mark in sorted(marks.items()):
        by_hash[mark].append(process)
    if len(by_hash) > 1:
        said = "; ".join(f"{mark}: {', '.join(processes)}" for mark, processes in by_hash.items())
        yield warn("configuration", f"the running processes differ: {said}", REMEDY)
    if marks and own not in by_hash:
        yield warn("configuration", f"no running process goes by {own}: {', '.join(by_hash)} is in effect", REMEDY)
    elif marks and len(by_hash) == 1:
        yield ok("configuration", f"all {len(marks)} running processes go by it")


async def _marks(url: str, prefix: str) -> Mapping[str, str]:
    async with Redis.from_url(url, protocol=2, socket_timeout=3.0, socket_connect_timeout=3.0) as redis:
        return await read_marks(redis, Addresses(prefix))
