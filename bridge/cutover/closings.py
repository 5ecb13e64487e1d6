"""How many open V2 sockets a step would close, on all processes: what an operator has to confirm. It changes nothing.

Decided here: a step that closes all V2 sockets of a tenant counts sockets. A step that closes some of them counts
clients that are connected, because only the census knows the ids of the others' sockets; where it knows of nobody that
is connected (no records are kept), the step counts as one that closes all.
"""

import asyncio
from typing import Final

from bridge.records.census import Census
from bridge.records.cluster_counts import read_cluster_counts
from bridge.records.store_reader import StoreReader
from bridge.records.writer import WRITE_SECONDS
from bridge.tenants.share import WHOLE
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant

SETTLE_SECONDS: Final = WRITE_SECONDS + 0.3
"""The wait before counting. After it, every process has written who is connected to it."""
V2_PROTOCOLS: Final = ("v2", "socketio")


class Closings:
    """Counts what steps of the tenants of one deployment would close."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._census = Census(reader)

    async def of(self, tenant: Tenant, after: Standing) -> int:
        """How many open V2 sockets a step would close. It first waits `SETTLE_SECONDS`. Raises what redis-py raises."""
        if not _can_close(after) or after.place <= Standing.of(tenant).place:
            return 0
        await asyncio.sleep(SETTLE_SECONDS)
        sockets = await self._open(tenant)
        if sockets == 0 or _closes_all(after):
            return sockets
        here, going = await self._here(tenant, after.of_tenant(tenant))
        return going if here else sockets

    async def _open(self, tenant: Tenant) -> int:
        counts = await read_cluster_counts(self._reader.redis, self._reader.addresses)
        connections = counts[tenant.name]["connections"]
        return sum(connections[protocol] for protocol in V2_PROTOCOLS)

    async def _here(self, tenant: Tenant, after: Tenant) -> tuple[int, int]:
        """How many V2 clients are connected, and how many of them the step would send away."""
        here = going = 0
        now = self._reader.milliseconds_now()
        async for clients in self._census.pages(tenant, now):
            for seen in clients:
                if seen.visitor.language == "v2" and seen.last >= now:
                    here += 1
                    going += after.refuses_v2(seen.visitor.client_id) is not None
        return here, going


def _can_close(after: Standing) -> bool:
    return after.stage == "v3" or (after.stage == "drain" and after.share > 0)


def _closes_all(after: Standing) -> bool:
    return after.stage == "v3" or after.share == WHOLE
