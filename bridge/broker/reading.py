"""The Redis client for requests that may wait: operators' orders, reports, tenants. Never for clients' messages.

Bounded: at most `MOST_CONNECTIONS` connections. When all are in use, a caller waits for one, and after `ANSWER_SECONDS`
gets redis-py's `ConnectionError`. After a burst all but `MOST_IDLE` are closed again.

A cancelled task ends at its current command. redis-py itself may answer a cancellation with a success (while it sends)
or with an error of its own, and a task that reads in a loop would go on.
"""

from typing import Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from bridge.broker.link import end_if_cancelled

MOST_CONNECTIONS: Final = 16
MOST_IDLE: Final = 4
RETRIES: Final = 3
ANSWER_SECONDS: Final = 2.0


class ReadingPool(BlockingConnectionPool):
    """Of those that nobody uses, no more than a few stay open.

    After `renew` each is made anew before it is used again: the address may lead to another server now.
    """

    def renew(self) -> None:
        for connection in (*self._available_connections, *self._in_use_connections):
            connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)

    async def release(self, connection: AbstractConnection) -> None:
        """Give a connection back. If too many are unused, the one that has been unused for longest is closed."""
        await super().release(connection)
        while len(self._available_connections) > MOST_IDLE:
            await self._available_connections.pop(0).disconnect(nowait=True)


class Reading(Redis):
    """The Redis client. It ends when cancelled, and so do its pipelines."""

    async def execute_command(self, *arguments: object, **options: object) -> object:
        try:
            return await super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002
        return ReadingPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class ReadingPipeline(Pipeline):
    """A pipeline that ends when cancelled."""

    async def immediate_execute_command(self, *arguments: object, **options: object) -> object:
        try:
            return await super().immediate_execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()

    async def execute(self, raise_on_error: bool = True) -> list[object]:  # noqa: FBT001, FBT002
        try:
            return await super().execute(raise_on_error)
        finally:
            end_if_cancelled()

    async def reset(self) -> None:  # type: ignore[override]
        """Also sends UNWATCH, a command that can be cancelled too."""
        try:
            await super().reset()  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()


def reading(redis_url: str) -> Redis:
    """A client for `redis_url`. It opens lost connections again, and does not repeat a command that timed out."""
    retry = Retry(ExponentialBackoff(0.1, 0.01), RETRIES, supported_errors=(RedisConnectionError,))
    bounds: dict[str, object] = {"max_connections": MOST_CONNECTIONS, "timeout": ANSWER_SECONDS}
    return Reading.from_pool(
        ReadingPool.from_url(redis_url, protocol=2, socket_timeout=ANSWER_SECONDS, retry=retry, **bounds)
    )


def renew(redis: Redis) -> None:
    """Make every connection of this client anew before it is used again. What is under way is not disturbed."""
    cast(ReadingPool, redis.connection_pool).renew()
