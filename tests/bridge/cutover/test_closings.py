"""How many open V2 sockets a step would close, as it stands in a real Redis."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.cutover import closings
from bridge.cutover.closings import Closings
from bridge.records.rows import Visitor
from bridge.records.store_reader import StoreReader
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from compat.identity import PLAIN_NAMES
from tests.bridge.admin.desk import TENANT, Desk, now, v2

ACME = Tenant(TENANT)
SOCKETS = {"v2": 3, "socketio": 2, "v3": 40}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way to Redis, and so nobody has to wait for it."""
    monkeypatch.setattr(closings, "SETTLE_SECONDS", 0)


def standing(stage: Any, share: float = 0) -> Standing:
    return Standing(stage, share, "global")


async def connect(desk: Desk, sockets: dict[str, int], *clients: Visitor) -> None:
    """One process has so many sockets of the tenant; these clients are known, and connected to it."""
    process, later = "a" * 16, now() + 60_000
    await desk.redis.zadd(desk.addresses.processes, {process: later})
    await desk.redis.set(desk.addresses.headcount(process), json.dumps({TENANT: {"connections": sockets}}))
    for client in clients:
        await desk.met(client, now() - 1_000, now() - 500)
        holder = f"{PLAIN_NAMES.name_of(client.client_id or '')}:{process}:v2:{now()}000"
        await desk.redis.zadd(desk.addresses.holders(TENANT, "lobby"), {holder: 0})


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        (standing("bridge"), standing("v3"), 5),
        (standing("bridge"), standing("drain", 100), 5),
        (standing("drain", 10), standing("v3"), 5),
        (standing("bridge"), standing("drain"), 0),
        (standing("legacy"), standing("bridge"), 0),
        (standing("bridge"), standing("legacy"), 0),
        (standing("v3"), standing("drain", 100), 0),
        (standing("drain", 50), standing("drain", 49.99), 0),
    ],
    ids=str,
)
async def test_a_step_that_closes_everybody_on_v2_closes_their_sockets(
    desk: Desk, before: Standing, after: Standing, number: int
) -> None:
    await connect(desk, SOCKETS)
    assert await _closings(desk).of(before.of_tenant(ACME), after) == number


@pytest.mark.parametrize(("share", "number"), [(88.52, 1), (88.53, 2), (7, 0)])
async def test_a_share_closes_those_whose_bucket_is_below_it(desk: Desk, share: float, number: int) -> None:
    """CRC-32 puts `42` into bucket 88.52, and `a` into one above 7."""
    await connect(desk, SOCKETS, v2("42"), v2("a"))
    await desk.met(v2("gone"), now() - 60_000, now() - 50_000)
    assert await _closings(desk).of(ACME, standing("drain", share)) == number


async def test_where_nobody_is_on_record_a_share_counts_as_everybody(desk: Desk) -> None:
    await connect(desk, SOCKETS)
    assert await _closings(desk).of(ACME, standing("drain", 0.01)) == 5


async def test_where_nobody_is_connected_nothing_is_closed(desk: Desk) -> None:
    assert await _closings(desk).of(ACME, standing("v3")) == 0


def _closings(desk: Desk) -> Closings:
    return Closings(StoreReader(desk.redis, desk.addresses, desk.tables))
