"""A record of refusals for a handshake without Redis, and the clients that were told to it."""

from __future__ import annotations

from typing import cast

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.handshake.authentication import Authentication
from bridge.handshake.presumed_tenant import PresumedTenant
from bridge.handshake.refusal_record import RefusalRecord
from bridge.records.backlog import Backlog
from bridge.records.counters import Counts
from bridge.records.refused_clients import RefusedClient, RefusedClients
from bridge.records.retention import Tables
from bridge.tenants.table import TenantTable


def record_of(
    counts: Counts, authentication: Authentication, table: TenantTable
) -> tuple[RefusalRecord, list[RefusedClient]]:
    """The record, and the list of those who were refused, which grows."""
    told: list[RefusedClient] = []
    clients = RefusedClients(
        cast(Bus, None), Addresses("test"), Tables.bounded(100, 1), Backlog(is_kept=False), lambda: 0.0
    )
    clients.told.add(told.append)
    return RefusalRecord(counts, clients, PresumedTenant(authentication, table)), told
