"""The versions of all tenants: one hash in Redis, of which it is never known how many names are in it.

So whoever knows names asks for these, and for the rest there is a way around the hash, a little at a time. It keeps
nothing of what it finds.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.unreadable import answer_of
from bridge.tenants.tenant import TENANT_NAME

NAMES_PER_COMMAND: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,15}")

T = TypeVar("T")


class TenantVersions:
    """The hash. Something of another type under its name makes room, and counts as nothing."""

    def __init__(self, redis: Redis, addresses: Addresses) -> None:
        self._redis = redis
        self._addresses = addresses
        self._cursor = 0

    @property
    def is_around(self) -> bool:
        """Whether `next` begins at the beginning."""
        return self._cursor == 0

    async def of(self, names: Sequence[str]) -> dict[str, int]:
        """The versions of those of these tenants that are there."""
        found: dict[str, int] = {}
        for start in range(0, len(names), NAMES_PER_COMMAND):
            some = names[start : start + NAMES_PER_COMMAND]
            asked = self._redis.hmget(self._addresses.tenants, some)
            nothing: list[bytes | None] = [None] * len(some)
            versions = await self._answer_of(asked, nothing)
            found |= {name: number(said) for name, said in zip(some, versions, strict=True) if said is not None}
        return found

    async def next(self) -> dict[str, int]:
        """Some of the tenants, and at the next call the next ones; in the end all, and from the beginning."""
        asked = self._redis.hscan(self._addresses.tenants, self._cursor, count=NAMES_PER_COMMAND)
        nothing: tuple[int, Mapping[bytes, bytes]] = (0, {})
        self._cursor, versions = await self._answer_of(asked, nothing)
        found = {name.decode(errors="replace"): number(said) for name, said in versions.items()}
        return {name: version for name, version in found.items() if TENANT_NAME.fullmatch(name)}

    async def count(self) -> int:
        """How many names are there, of whatever kind."""
        return await self._answer_of(self._redis.hlen(self._addresses.tenants), 0)

    async def _answer_of(self, asked: object, nothing: T) -> T:
        answer: T | None = await answer_of(asked, None)
        if answer is not None:
            return answer
        await self._redis.unlink(self._addresses.tenants)
        return nothing


def number(said: bytes) -> int:
    """A version; what is none is 0."""
    text = said.decode(errors="replace")
    return int(text) if _NUMBER.fullmatch(text) else 0
