"""The way in, as one process has it: who has a place, how fast it may speak, and who was turned away."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.budget.shares import Owner
from tests.bridge.assembled import assembled, numbers

KEYS = tuple({"name": name, "sha256": name[0] * 64, "tenants": ["acme"]} for name in ("a key", "b key"))
TENANTS = ("acme", "other")


@pytest.mark.parametrize(
    ("tenants", "keys", "told_apart_by"),
    [
        (TENANTS, KEYS[:1], ["tenant"]),
        (TENANTS[:1], KEYS[:0], ["tenant"]),  # the tenant of whoever brings no key is the other one
        (TENANTS[:1], KEYS[:1], ["address"]),
        (TENANTS[:1], KEYS, ["key"]),
        (TENANTS, KEYS, ["tenant", "key"]),
    ],
)
async def test_places_are_shared_by_what_tells_clients_apart(
    redis_url: str, prefix: str, tenants: Any, keys: Any, told_apart_by: list[str]
) -> None:
    tables: Any = {name: {} for name in tenants}
    async with assembled(redis_url, prefix, tenants=tables, keys=keys, max_connections=10) as process:
        shares = process.handshakes.tenant_limits.shares
        for address in ("192.0.2.1",) * 7 + ("192.0.2.2",):
            shares.take(Owner("a", "k", address))
        newcomers = {
            "tenant": Owner("b", "k", "192.0.2.1"),
            "key": Owner("a", "l", "192.0.2.1"),
            "address": Owner("a", "k", "192.0.2.2"),
        }
        assert [kind for kind, owner in newcomers.items() if shares.has_room_for(owner)] == told_apart_by


async def test_each_connection_has_a_meter_of_the_configured_pace(redis_url: str, prefix: str) -> None:
    async with assembled(redis_url, prefix, messages_per_second=1, burst=2) as process:
        first, second = (process.handshakes.connector.new_meter("acme") for _ in range(2))
        assert [first.spend() for _ in range(3)] == ["within", "within", "over"]
        assert second.spend() == "within"


async def test_whom_a_stage_turned_away_is_told_by_tenant(redis_url: str, prefix: str) -> None:
    async with assembled(redis_url, prefix) as process:
        process.records.counts.turned_away["acme"] += 3
        assert numbers(process.handshakes)["bridge_handshakes_turned_away_total", "acme"] == 3
