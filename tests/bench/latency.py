"""How long a message takes from one client to another through the bridge and Redis: `python -m tests.bench.latency`.

Beside it, in the same run and taking turns, what Redis alone takes: a redis-py PUBLISH until its subscriber has it.
One message is under way at a time, so nothing waits in a queue: it is the price of the path, not of load.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Annotated

import typer
import uvloop
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from tests.bench import servers
from tests.bench.peers import Peers
from tests.bench.processes import CLIENT_CORE, SERVER_CORE, free_port, running, running_redis

GROUP = "latency"
DELIVERY = '{"version":"3","msg_type":"msg"'
DOCUMENT = '{"msg_type":"msg","target":"direct","to_id":"listener","msg":"' + "x" * 88 + '"}'
BLOCK = 200
TRIP_SECONDS = 5.0
SETTLE_SECONDS = 0.5

Trip = Callable[[], Awaitable[float]]


async def trip(send: Callable[[], Awaitable[object]], hear: Callable[[], Awaitable[object]]) -> float:
    """Seconds from before `send` until `hear` has returned, which waits meanwhile."""

    async def heard_at() -> float:
        await hear()
        return perf_counter()

    began = perf_counter()
    hearing = asyncio.ensure_future(heard_at())
    await send()
    return await asyncio.wait_for(hearing, TRIP_SECONDS) - began


async def redis_trip(stack: AsyncExitStack, redis_url: str) -> Trip:
    """A subscriber on a connection of its own, and a publisher on another."""
    redis = await stack.enter_async_context(Redis.from_url(redis_url))
    subscription = await stack.enter_async_context(redis.pubsub())
    await subscription.subscribe(GROUP)
    await subscription.get_message(timeout=TRIP_SECONDS)

    async def hear() -> None:
        while await subscription.get_message(ignore_subscribe_messages=True, timeout=None) is None:
            pass

    return lambda: trip(lambda: redis.publish(GROUP, DOCUMENT), hear)


async def bridge_trip(stack: AsyncExitStack, url: str) -> Trip:
    """Two V3 clients of one group; what is said is direct, so that only the listener hears it."""
    urls = (url.format(group=GROUP, client=client) for client in ("speaker", "listener"))
    speaker, listener = [await stack.enter_async_context(connect(each, compression=None)) for each in urls]
    await asyncio.sleep(SETTLE_SECONDS)
    return lambda: trip(lambda: speaker.send(DOCUMENT), lambda: _hear_delivery(listener))


async def _hear_delivery(listener: ClientConnection) -> None:
    while not str(await listener.recv()).startswith(DELIVERY):
        pass


async def measure(url: str, redis_url: str, trips: int) -> dict[str, list[float]]:
    """Microseconds of each trip, in blocks that take turns; the first block of each is a warm-up and left out."""
    async with AsyncExitStack() as stack:
        routes = {"bridge": await bridge_trip(stack, url), "redis": await redis_trip(stack, redis_url)}
        taken: dict[str, list[float]] = {name: [] for name in routes}
        for block in range(1 + -(-trips // BLOCK)):
            for name, route in routes.items():
                seconds = [await route() for _ in range(BLOCK)]
                taken[name] += [each * 1e6 for each in seconds] if block else []
        return taken


def describe(taken: dict[str, list[float]]) -> str:
    lines = ["| one message at a time | p50 µs | p99 µs |", "| --- | ---: | ---: |"]
    for name, title in (("bridge", "client → bridge → Redis → bridge → client"), ("redis", "PUBLISH → subscriber")):
        lines.append(f"| {title} | {median(taken[name]):.0f} | {quantiles(taken[name], n=100)[98]:.0f} |")
    ratio = median(taken["bridge"]) / median(taken["redis"])
    return "\n".join([*lines, "", f"The bridge's p50 is {ratio:.2f} times the bare trip's."])


def main(
    trips: Annotated[int, typer.Option(help="How many of each kind.")] = 4000,
    bridge_command: Annotated[str, typer.Option(help="What `serve` is appended to.")] = servers.BRIDGE_COMMAND,
    redis_core: Annotated[int, typer.Option(help="The bridge has core 0, this program core 1.")] = CLIENT_CORE,
    event_loop: Annotated[str, typer.Option(help="What this program runs on: asyncio or uvloop.")] = "asyncio",
) -> None:
    """Start a Redis and a bridge of our own, measure, print both p50 and their ratio."""
    with tempfile.TemporaryDirectory(prefix="aether-latency-") as directory, ExitStack() as stack:
        logs = Path(directory)
        _, redis_url = stack.enter_context(running_redis(redis_core, logs / "redis.log"))
        installed = Peers(logs, logs)  # none is needed
        place = servers.Place(free_port(), free_port(), redis_url, logs, installed, bridge_command)
        launch = servers.ALL["bridge"].launch(place)
        stack.enter_context(running(launch.command, place.port, SERVER_CORE, logs / "bridge.log", launch.environment))
        if (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, {CLIENT_CORE})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if event_loop == "uvloop" else None) as runner:
            taken = runner.run(measure(f"ws://127.0.0.1:{place.port}{launch.path}", redis_url, trips))
    typer.echo(describe(taken))


if __name__ == "__main__":
    typer.run(main)
