"""What the sessions of V3 have of a process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bridge.broker.presence import Place
from bridge.runtime import v3
from bridge.runtime.doors import Doors
from bridge.runtime.process import Process
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.assembled import assembled, started
from tests.bridge.broker.parts import Answers
from tests.bridge.population import table_of
from v3.ports import Guest

ANN = Guest("acme", "team", "ann", "none")


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    tenants: Any = {"acme": {}}
    async with assembled(redis_url, prefix, tenants=tenants) as one, started(one):
        yield one


async def test_a_guest_asks_who_is_in_its_group_and_its_heartbeat_is_for_itself(process: Process) -> None:
    presence, entered, answers = v3.v3_ports(process).presence, Answers(), Answers()
    process.broker.presence.enter(Place("acme", "team", "ann", "v3"), entered)
    await entered.next()
    await process.broker.redis.delete(process.broker.addresses.presence("acme", "team"))
    presence.refresh(ANN)
    presence.members(ANN, answers)
    assert [member["client_id"] for member in json.loads(await answers.next())] == ["ann"]


async def test_what_is_refused_is_counted_as_of_v3(process: Process) -> None:
    v3.v3_ports(process).tally.refused("acme", "too_fast")
    assert process.records.counts.refusals == {("acme", "v3", "too_fast"): 1}


async def test_what_is_said_is_counted_as_of_v3(process: Process) -> None:
    heard = Answers()
    v3.v3_ports(process).bus.voice(ANN).say({"msg_type": "msg", "target": "group"}, "", heard)
    assert await heard.next() == 0
    assert process.records.counts.messages == {("acme", "v3"): 1}


def test_a_name_means_whom_its_tenant_says_and_nobody_where_there_is_no_such_tenant() -> None:
    names = v3.NamesOfTenants(table_of(Tenant("acme", names=Names({"42": "Xk3dQ"}))))
    assert names.resolve("acme", "v2-42") == "Xk3dQ"
    assert names.resolve("nobody", "v2-42") is None


async def test_the_path_of_v3_asks_for_an_upgrade(process: Process) -> None:
    app = FastAPI()
    v3.mount(app, Doors(), process)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge") as http:
        assert (await http.get("/v3/ws/group/team/client/ann")).status_code == 426
        assert (await http.get("/v3/ws/group/team")).status_code == 404
