"""Reads the versions of all tenants: one hash in Redis, which can have any number of fields.

So known tenants are looked up by name, and the whole hash is scanned in a cycle, a part at a time (HSCAN). It keeps
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
    """The hash. If its key has another type, the value is removed, and counts as an empty hash."""

    def __init__(self, redis: Redis, addresses: Addresses) -> None:
        self._redis = redis
        self._addresses = addresses
        self._cursor = 0

    @property
    def is_around(self) -> bool:
        """Whether the next call of `next` starts at the beginning of the hash."""
        return self._cursor == 0

    async def of(self, names: Sequence[str]) -> dict[str, int]:
        """Tenant -> version, for those of `names` that are in the hash."""
        found: dict[str, int] = {}
        for start in range(0, len(names), NAMES_PER_COMMAND):
            some = names[start : start + NAMES_PER_COMMAND]
            asked = self._redis.hmget(self._addresses.tenants, some)
            nothing: list[bytes | None] = [None] * len(some)
            versions = await self._answer_of(asked, nothing)
            found |= {name: number(said) for name, said in zip(some, versions, strict=True) if said is not None}
        return found

    async def next(self) -> dict[str, int]:
        """Tenant -> version for some tenants. Each call continues the scan; after the end it starts again."""
        asked = self._redis.hscan(self._addresses.tenants, self._cursor, count=NAMES_PER_COMMAND)
        nothing: tuple[int, Mapping[bytes, bytes]] = (0, {})
        self._cursor, versions = await self._answer_of(asked, nothing)
        found = {name.decode(errors="replace"): number(said) for name, said in versions.items()}
        return {name: version for name, version in found.items() if TENANT_NAME.fullmatch(name)}

    async def count(self) -> int:
        """How many names the hash has, valid or not."""
        return await self._answer_of(self._redis.hlen(self._addresses.tenants), 0)

    async def _answer_of(self, asked: object, nothing: T) -> T:
        answer: T | None = await answer_of(asked, None)
        if answer is not None:
            return answer
        await self._redis.unlink(self._addresses.tenants)
        return nothing


def number(said: bytes) -> int:
    """The version in these bytes; 0 if they are not a version."""
    text = said.decode(errors="replace")
    return int(text) if _NUMBER.fullmatch(text) else 0
