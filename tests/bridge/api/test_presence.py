"""Who is in a group, asked of a real Redis. Who counts as present is in `tests/bridge/broker/test_presence.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from bridge.api.presence import GroupPresence, router
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.api.serving import Known, asking
from tests.bridge.broker.people import GROUP, HOUR_SECONDS, TENANT, Process, place, running_process

ACME = Tenant(TENANT, names=Names({"7": GROUP}))


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    async with running_process(redis_url, prefix) as running:
        yield running


@pytest.fixture
async def http(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(router(Known(ACME), process.presence)) as client:
        yield client


async def test_the_members_of_a_group_are_named_by_their_ids(http: httpx.AsyncClient, process: Process) -> None:
    await process.enter(place("ben", "v2"), place("ann"), place("cat", group="elsewhere"))
    answer = await http.get(f"/v3/presence/group/{GROUP}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found = GroupPresence.model_validate_json(answer.content, strict=True)
    assert found.group_id == GROUP
    assert [(member.client_id, member.protocol) for member in found.members] == [("ann", "v3"), ("ben", "v2")]


async def test_a_group_may_be_called_by_the_name_that_it_had_before(http: httpx.AsyncClient, process: Process) -> None:
    await process.enter(place("ann"))
    found = (await http.get("/v3/presence/group/v2-7")).json()
    assert (found["group_id"], len(found["members"])) == (GROUP, 1)


async def test_where_nobody_is_the_list_is_empty(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v3/presence/group/nobody")).json() == {"group_id": "nobody", "members": []}


async def test_of_another_tenant_nothing_is_said(process: Process) -> None:
    await process.enter(place("ann"))
    async with asking(router(Known(Tenant("beta")), process.presence)) as stranger:
        assert (await stranger.get(f"/v3/presence/group/{GROUP}")).json()["members"] == []


@pytest.mark.parametrize("group_id", ["42", "a%20b", "server", "*", "x" * 65, "v2-_zz", "%F0%9F%98%80"])
async def test_presence_of_what_is_no_group_is_refused(http: httpx.AsyncClient, group_id: str) -> None:
    answer = await http.get(f"/v3/presence/group/{group_id}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_id")
    assert answer.json()["detail"] == [{"field": "group_id", "problem": "is no Vision ID"}]


async def test_while_redis_is_away_nobody_can_be_named(redis_url: str, prefix: str) -> None:
    away = Process(redis_url, prefix, "away", HOUR_SECONDS, 10)
    async with asking(router(Known(ACME), away.presence)) as http:
        answer = await http.get(f"/v3/presence/group/{GROUP}")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "bus_down", "1")
