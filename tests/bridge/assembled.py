"""One process, assembled as its command assembles it and not running, and the numbers that its parts tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.runtime.limits import strangers
from bridge.runtime.process import Process
from bridge.sockets.part import Sockets
from bridge.system.part import Part


def numbers(part: Part) -> dict[Any, float]:
    """A metric's name, or the name and the values of its labels -> the number."""
    samples = [sample for family in part.metrics() for sample in family.samples]
    return {(one.name, *one.labels.values()) if one.labels else one.name: one.value for one in samples}


@asynccontextmanager
async def assembled(redis_url: str, prefix: str, **given: Any) -> AsyncIterator[Process]:
    """A process with these settings."""
    settings = Settings(prefix=prefix, **given)
    process = Process(settings, redis_url, Budget(settings.limits), Sockets(strangers(settings)))
    async with process.broker.redis:
        yield process


@asynccontextmanager
async def started(process: Process) -> AsyncIterator[None]:
    """Its tasks go on, and it has all that clients are served with."""
    running = asyncio.create_task(process.run())
    try:
        await process.start()
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
