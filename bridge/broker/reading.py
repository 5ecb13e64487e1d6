"""redis-py's client, with which whoever was cancelled ends: at the command that it is at, and not a loop later.

Without this redis-py may answer a cancellation with a success (while it sends) or an error of its own, and whoever asks
in a loop would go on. It adds nothing else.
"""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from bridge.broker.link import end_if_cancelled


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
