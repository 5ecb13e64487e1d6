"""How Redis is asked for what may wait: orders, reports, tenants. Never what clients say.

Bounded: beyond `MOST_CONNECTIONS` whoever asks waits for one, and is told after a while that Redis is away. What a
burst has opened is closed again but for a few.

Whoever was cancelled ends at the command that it is at, and not a loop later: redis-py by itself may answer a
cancellation with a success (while it sends) or an error of its own, and whoever asks in a loop would go on.
"""

from typing import Any, Final

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
    """Of those that nobody uses, no more than a few stay open."""

    async def release(self, connection: AbstractConnection) -> None:
        """Whoever used it needs it no more; the one that was not used for longest makes room."""
        await super().release(connection)
        while len(self._available_connections) > MOST_IDLE:
            await self._available_connections.pop(0).disconnect(nowait=True)


class Reading(Redis):
    """The client; its pipelines are of the same kind."""

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002
        return ReadingPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class ReadingPipeline(Pipeline):
    """Where several commands are one."""

    async def immediate_execute_command(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().immediate_execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002
        try:
            return await super().execute(raise_on_error)
        finally:
            end_if_cancelled()

    async def reset(self) -> None:  # type: ignore[override]
        """It also unwatches, which is a command."""
        try:
            await super().reset()  # type: ignore[no-untyped-call]
        finally:
            end_if_cancelled()


def reading(redis_url: str) -> Redis:
    """A connection that was lost is made again, a Redis that does not answer is not asked twice."""
    retry = Retry(ExponentialBackoff(0.1, 0.01), RETRIES, supported_errors=(RedisConnectionError,))
    bounds: dict[str, Any] = {"max_connections": MOST_CONNECTIONS, "timeout": ANSWER_SECONDS}
    return Reading.from_pool(
        ReadingPool.from_url(redis_url, protocol=2, socket_timeout=ANSWER_SECONDS, retry=retry, **bounds)
    )
