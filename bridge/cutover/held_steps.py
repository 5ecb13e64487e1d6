"""Steps that guards have held up at a command line, which has no log: noted in Redis, for the log of each process.

Nothing is decided by such a note. Bounded: of each tenant the last one, for `KEPT_SECONDS`.
"""

from collections.abc import Awaitable
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.unreadable import answer_of
from bridge.cutover.changes import GuardFailed, now
from bridge.tenants.guard_rules import GuardName

KEPT_SECONDS: Final = 60

T = TypeVar("T")
log = structlog.get_logger(__name__)


class HeldStep(BaseModel):
    """A step that was held up: when (ISO 8601), who ordered it, and the guards that did not hold."""

    when: str
    who: str
    guards: list[GuardName]


class HeldSteps:
    """The notes of one deployment, and which of them this process has told."""

    def __init__(self, redis: Redis, addresses: Addresses) -> None:
        self._redis = redis
        self._addresses = addresses
        self._told: dict[str, bytes] = {}

    async def noted(self, tenant: str, who: str, done: Awaitable[T]) -> T:
        """What was done. If guards hold it up, that is noted. Raises what `done` raises, and what redis-py raises."""
        try:
            return await done
        except GuardFailed as held:
            guards = [verdict.name for verdict in held.failing]
            author = who.encode(errors="replace").decode()  # a name in a terminal may be no text
            note = HeldStep(when=now(), who=author, guards=guards).model_dump_json()
            await self._redis.set(self._addresses.held_step(tenant), note, ex=KEPT_SECONDS)
            raise

    async def tell(self, tenant: str) -> None:
        """Write a line if a step of this tenant was held up since the last call. Raises what redis-py raises."""
        note: bytes | None = await answer_of(self._redis.get(self._addresses.held_step(tenant)), None)
        if note is None or note == self._told.get(tenant):
            return
        self._told[tenant] = note
        try:
            held = HeldStep.model_validate_json(note)
        except ValidationError:
            return  # not ours
        log.info("guard_held", tenant=tenant, who=held.who, guards=held.guards)
