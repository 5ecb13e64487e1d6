"""Refusals are counted under the tenant that is proven, and recorded under the one that the client seems to be for."""

from __future__ import annotations

import hashlib

from bridge.config.settings import Settings
from bridge.handshake.authentication import Authentication
from bridge.records.counters import Counts
from bridge.records.refused_clients import RefusedClient
from bridge.records.rows import Visitor
from bridge.tenants.tenant import Tenant
from tests.bridge.handshake.credentials import KEYS
from tests.bridge.handshake.refusing import record_of
from tests.bridge.handshake.test_v2 import asked
from tests.bridge.population import table_of

ANN = Visitor("v3", "v3", "ann", "team")


def test_a_refusal_is_counted_where_it_is_proven_and_recorded_where_it_seems_to_belong() -> None:
    counts, table = Counts(), table_of(Tenant("acme"), Tenant("other"))
    record, told = record_of(counts, Authentication(Settings(keys=KEYS), table.get), table)
    record.refused(asked(api_key="one"), ANN, "unauthenticated")
    record.refused_by_stage(asked(api_key="one"), ANN, "stage_legacy", "other")
    record.admitted(hashlib.sha256(b"revoked").hexdigest(), "acme")
    record.refused(asked(api_key="revoked"), ANN, "unauthenticated")
    assert counts.refusals == {("", "v3", "unauthenticated"): 2, ("other", "v3", "stage_legacy"): 1}
    assert counts.turned_away == {"other": 1}
    assert [client.tenant for client in told] == ["acme", "other", "acme"]


def test_who_is_only_to_come_back_is_counted_and_told_and_not_recorded() -> None:
    counts, table = Counts(), table_of(Tenant("acme"))
    record, told = record_of(counts, Authentication(Settings(keys=KEYS), table.get), table)
    client = RefusedClient.of("acme", ANN, "overloaded", "test", "192.0.2.1")
    record.not_served(client)
    assert counts.refusals == {("acme", "v3", "overloaded"): 1}
    assert told == [client]
    assert list(record._clients.note_rows()) == []
