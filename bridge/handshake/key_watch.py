"""Keeps the API keys of one process as Redis has them: a look at their version twice a second.

Keys that are known stay valid while Redis cannot be reached. What Redis has lost is put back from memory, unless Redis
has a later version: so a key that was revoked does not come back. A key that was made between a loss and the next look
of a bridge, half a second later, is lost with it.
"""

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.stored_keys import KeyTable, read_keys, read_standing, restore

LOOK_SECONDS: Final = 0.5
MOST_NAMED: Final = 20
"""Names of keys in one line of the log."""

log = structlog.get_logger(__name__)


class KeyWatch:
    """The watch of one process; it puts what it finds into `keys`."""

    def __init__(self, redis: Redis, addresses: Addresses, keys: ApiKeys) -> None:
        self._redis = redis
        self._addresses = addresses
        self._keys = keys
        keys.are_read = False
        self._looking = asyncio.Lock()
        self._is_blind = False
        self.table = KeyTable(0, 0)
        """What Redis held at the last look at which anything had changed."""

    async def run(self) -> None:
        """Look every `LOOK_SECONDS`, until cancelled; a look that fails changes nothing."""
        while True:
            await self.look_once()
            end_if_cancelled()
            await asyncio.sleep(LOOK_SECONDS)

    async def look_once(self) -> bool:
        """Do `look`, and return whether it succeeded. Only the first error in a row is logged."""
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 - any data in Redis, any fault of the connection
            if not self._is_blind:
                log.warning("keys_unreadable", reason=f"{type(error).__name__}: {error}")
            self._is_blind = True
            return False
        self._is_blind = False
        self._keys.are_read = True
        return True

    async def look(self) -> None:
        """Take what is new in Redis, and put back what it has lost; one look at a time. Raises what redis-py raises."""
        async with self._looking:
            version, fields = await read_standing(self._redis, self._addresses)
            if version > self.table.version:
                self._take(await read_keys(self._redis, self._addresses))
            elif version < self.table.version or fields < self.table.fields:
                await self._restore()
            else:
                self.table = self.table._replace(fields=fields)

    def _take(self, table: KeyTable) -> None:
        before, self.table = self.table, table
        self._keys.take_of_redis(table.keys)
        names, names_before = ({key.name for key in some.keys} for some in (table, before))
        if self._keys.are_read:
            log.info("keys_changed", new=_listed(names - names_before), revoked=_listed(names_before - names))

    async def _restore(self) -> None:
        if await restore(self._redis, self._addresses, self.table.version, self.table.keys):
            self.table = self.table._replace(fields=len(self.table.keys) + 1)
            log.warning("keys_restored", number=len(self.table.keys))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)[:MOST_NAMED])
