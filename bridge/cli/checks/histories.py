"""Checks of what is kept for those who come back: how much of it there is, its bound, and whether Redis keeps it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import redis
from redis.exceptions import RedisError

from bridge.broker.addresses import Addresses
from bridge.broker.link import database_in
from bridge.cli.checks.finding import Finding, bad, ok, warn
from bridge.config.settings import Settings

ANSWER_SECONDS: Final = 3.0
MOST_COUNTED: Final = 200_000
TOGETHER: Final = 1_000
MEGABYTE: Final = 1_048_576
CHECK: Final = "history"

Server = Any
"""A redis-py client, whose answers have no static types."""


def look(url: str, settings: Settings) -> Iterator[Finding]:
    """Findings about the histories at `url`. Nothing if it cannot be reached: that is found elsewhere."""
    if not settings.history_seconds:
        yield ok(CHECK, "nothing is kept (history_seconds = 0): who comes back must fetch anew")
        return
    try:
        with redis.Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, protocol=2
        ) as server:
            yield from _findings(server, Addresses(settings.prefix, database_in(url)), settings)
    except (RedisError, OSError, ValueError):
        return


def _findings(server: Server, addresses: Addresses, settings: Settings) -> Iterator[Finding]:
    living = int(server.zcount(addresses.processes, int(server.time()[0]), "+inf"))
    number = sum(1 for _ in islice(server.scan_iter(f"{settings.prefix}:*:history", count=TOGETHER), MOST_COUNTED))
    bound = settings.history_bytes * max(1, living)
    said = (
        f"{number:,}{' or more' if number == MOST_COUNTED else ''} channels have one now; {max(1, living)} processes "
        f"may keep {bound / MEGABYTE:,.0f} MiB in Redis (history_bytes each), for {settings.history_seconds} s"
    )
    facts = server.info("memory")
    policy, most = str(facts.get("maxmemory_policy", "noeviction")), int(facts.get("maxmemory", 0))
    if most and policy != "noeviction":
        remedy = "use noeviction: once one is thrown away nobody is told what was missed before"
        yield bad(CHECK, f"{said}; {policy} may throw them away", remedy)
    elif most and bound > most // 2:
        yield warn(CHECK, f"{said}, of {most / MEGABYTE:,.0f} MiB", "lower history_bytes, or give Redis more memory")
    else:
        yield ok(CHECK, said)
