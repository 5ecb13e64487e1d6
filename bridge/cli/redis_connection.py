"""The Redis connection of a command: to the Redis that is named, or else to the private server in `data_dir`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bridge.broker.addresses import Addresses
from bridge.broker.cluster import explained
from bridge.broker.configuration_marks import read_marks
from bridge.broker.private_server import find_url
from bridge.cli.options import fail
from bridge.config.redaction import redact
from bridge.config.reload import hash_of
from bridge.config.settings import Settings

ANSWER_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 3.0

Result = TypeVar("Result")


def with_redis(settings: Settings, work: Callable[[Redis], Awaitable[Result]]) -> Result:
    """The result of `work`, which is called with an open connection.

    Ends the command if there is no server or Redis fails, with a sentence that names the directory or the address.
    """
    url = settings.redis_url or find_url(settings.data_dir)
    if url is None:
        fail(f"no bridge runs a private server in {settings.data_dir}: name the Redis of your bridges with --redis URL")
    try:
        return asyncio.run(_run(url, work))
    except (RedisError, OSError, ValueError) as error:
        fail(f"{redact(url)}: {explained(error)}")


def warn_of_others(settings: Settings) -> None:
    """Say on standard error if a running bridge goes by another configuration than this command has read."""
    if not (settings.tenants or settings.keys):
        return  # no file was read
    marks = with_redis(settings, lambda redis: read_marks(redis, Addresses(settings.prefix)))
    own = hash_of(settings)
    if others := sum(mark != own for mark in marks.values()):
        said = f"{others} of {len(marks)} running processes go by another configuration than the one read here"
        typer.echo(
            f"aether-bridge: {said}: what is new in the file has no effect there until it is read anew", err=True
        )


async def _run(url: str, work: Callable[[Redis], Awaitable[Result]]) -> Result:
    async with Redis.from_url(
        url, protocol=2, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=CONNECT_SECONDS
    ) as redis:
        return await work(redis)
