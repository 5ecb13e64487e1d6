"""The census read from a real Redis: page by page, and whoever is connected is there until now."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import cast

import pytest

from bridge.broker.presence import Place
from bridge.records import census as censuses
from bridge.records.rows import Facts, Noted, RefusedName
from bridge.records.whereabouts import ListName
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.admin.desk import TENANT, Desk, noted, now, v2, v3
from tests.bridge.broker.people import running_process

ACME = Tenant(TENANT)


def milliseconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1_000


async def test_whoever_is_connected_is_there_until_now(desk: Desk, redis_url: str, prefix: str) -> None:
    tenant = Tenant(TENANT, names=Names({"42": "Xk3dQ"}))
    here = {v2("42", "a b"): ("v2-a_20b", "Xk3dQ"), v2("7"): ("lobby", "v2-7"), v3("ann"): ("lobby", "ann")}
    seen_at = now() - 50_000
    async with running_process(redis_url, prefix) as process:
        places = [Place(TENANT, *names, visitor.language) for visitor, names in here.items()]
        await process.enter(*places, Place(TENANT, "lobby", "anonymous-x", "v2"), Place("other", "lobby", "gone", "v3"))
        for visitor in (*here, v2(None, "lobby", "phone"), v2(None, "team", "phone"), v3("gone"), v3("ann", "team")):
            await desk.met(visitor, seen_at, seen_at)
        census = await desk.reports.census(tenant, "all")
    is_here = {
        (client["client_id"], client["group_id"]): milliseconds_of(client["last_seen"]) > seen_at + 40_000
        for client in census["clients"]
    }
    assert is_here == {
        ("42", "a b"): True,
        ("7", "lobby"): True,
        ("ann", "lobby"): True,
        (None, "lobby"): False,  # presence does not say which of those without an id
        (None, "team"): False,
        ("gone", "lobby"): False,
        ("ann", "team"): False,
    }
    last_seen = [client["last_seen"] for client in census["clients"]]
    assert last_seen == sorted(last_seen, reverse=True)


async def test_a_group_is_asked_for_once_and_page_by_page(
    desk: Desk, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(censuses, "HOLDERS_PER_GROUP", 2)
    people = [f"p{number}" for number in range(5)]
    await desk.note(desk.tables.census, *(noted(v3(name), now() - 50_000) for name in people))
    async with running_process(redis_url, prefix) as process:
        await process.enter(*(Place(TENANT, "lobby", name, "v3") for name in people))
        census = await desk.reports.census(ACME, "all")
    assert all(milliseconds_of(one["last_seen"]) > now() - 40_000 for one in census["clients"])


async def test_of_those_without_an_id_one_who_is_connected_does_not_bring_back_another_who_was_moved(
    desk: Desk, redis_url: str, prefix: str
) -> None:
    moved_at = now() - 20_000
    facts = json.dumps(asdict(Facts("moved_to_v3", "kiosk", "192.0.2.0/24", "lobby", "v2", at_door=False)))
    gone = Noted(RefusedName("v2", None, "kiosk").key(), moved_at, moved_at, 0, f"{moved_at} 0 0 {facts}")
    await desk.note(desk.tables.refused, gone)
    async with running_process(redis_url, prefix) as process:
        await process.enter(Place(TENANT, "lobby", "anonymous-x", "v2"))
        await desk.met(v2(None, "lobby", "kiosk"), moved_at, moved_at)
        await desk.met(v2(None, "lobby", "phone"), moved_at, now())
        for name, user_agent in (("still", "phone"), ("not_arrived", "kiosk")):
            found = await desk.reports.whereabouts(ACME, cast(ListName, name))
            assert [client["user_agent"] for client in found["clients"]] == [user_agent]
