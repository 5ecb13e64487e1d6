"""Two processes whose Redis comes back empty: that is said once, and whoever is connected is on record again.

What else becomes of a Redis that fails is in `tests/end_to_end/test_faults.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bridge.broker.addresses import Addresses
from bridge.budget.budget import Budget
from bridge.config.settings import load
from bridge.runtime.limits import strangers
from bridge.runtime.process import Process
from bridge.sockets.part import Sockets
from bridge.system.part import Part, Task
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess

SECONDS = 8.0
TENANTS = ("acme", "other")
CONFIG = (
    QUIET
    + "[tenants.acme]\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)


class Asked:
    """The admin API of one process."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str) -> Any:
        """What is answered; nothing while Redis is away."""
        answer = await self._http.get(path)
        assert answer.status_code in (200, 503)
        return answer.json() if answer.status_code == 200 else None

    async def knows(self, *clients: str) -> bool:
        """Whether these are the clients of the census."""
        census = await self.get("/acme/census?protocol=all")
        return census is not None and {one["client_id"] for one in census["clients"]} == {*clients}

    async def losses(self, tenant: str) -> list[dict[str, Any]]:
        return [change for change in await self.get(f"/{tenant}/changes") or [] if change["kind"] == "loss"]

    async def has_it_for_all(self) -> bool:
        return all([await self.losses(tenant) for tenant in TENANTS])


@asynccontextmanager
async def asking(bridge: BridgeProcess) -> AsyncIterator[Asked]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api/tenants", headers=headers) as http:
        yield Asked(http)


async def test_data_that_redis_lost_are_said_once_for_each_tenant_and_the_connected_are_in_the_census_again(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    query = with_key("clerk")
    async with (
        asking(bridges[0]) as first,
        asking(bridges[1]) as second,
        client(bridges[0], f"/ws/client/42?{query}"),
        client(bridges[1], v3_path("lobby", "ann", query)) as ann,
    ):
        await eventually(lambda: first.knows("42", "ann"))
        assert (await first.get("/acme"))["lost_at"] is None
        await asyncio.to_thread(redis.restart)
        await eventually(first.has_it_for_all, SECONDS)
        await eventually(lambda: second.knows("42", "ann"), SECONDS)
        await eventually(ann.is_served, SECONDS)
        for tenant in TENANTS:
            (loss,) = await second.losses(tenant)
            assert (loss["who"], loss["from"], loss["to"]) == ("aether-bridge", "bridge", "bridge")
            lost_at = datetime.fromisoformat((await first.get(f"/{tenant}"))["lost_at"])
            assert abs(lost_at - datetime.fromisoformat(loss["when"])) < timedelta(seconds=1)


async def test_what_stands_in_the_records_place_makes_room_and_every_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with asking(bridges[0]) as first:
        redis.execute("SET", Addresses(prefix).changes, "something else")
        await eventually(first.has_it_for_all, SECONDS)
        for tenant in TENANTS:
            (loss,) = await first.losses(tenant)
            assert loss["why"] == "Something else stood in Redis under the name of the record: what it held is lost"


async def test_what_stands_in_the_place_of_a_tenants_record_makes_room_and_that_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    async with asking(bridge(config=CONFIG, redis=redis.url)) as api:
        redis.execute("SET", Addresses(prefix).record("acme"), "something else")

        async def is_told() -> bool:
            return bool(await api.losses("acme"))

        await eventually(is_told, SECONDS)
        (loss,) = await api.losses("acme")
        assert loss["why"] == "Something else stood in Redis under the name of the record: what it held is lost"
        assert await api.losses("other") == []


async def test_what_stands_in_a_rolls_place_makes_room_and_its_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    running = bridge(config=CONFIG, redis=redis.url)
    async with asking(running) as api, client(running, f"/ws/client/42?{with_key('clerk')}") as old:
        await old.ask({"msg": "hi"})
        await eventually(lambda: api.knows("42"))
        redis.execute("DEL", Addresses(prefix).roll("acme", "census"))
        redis.execute("SET", Addresses(prefix).roll("acme", "census"), "something else")
        await old.ask({"msg": "hi"})

        async def is_told() -> bool:
            return bool(await api.losses("acme"))

        await eventually(is_told, SECONDS)
        (loss,) = await api.losses("acme")
        assert loss["why"] == "Something else stood in Redis under the name of the census: what it held is lost"
        assert await api.losses("other") == []
        await eventually(lambda: api.knows("42"), SECONDS)


class Frail(Part):
    """A part whose task fails twice."""

    def __init__(self) -> None:
        self.begun = 0
        self.goes_on = asyncio.Event()

    def tasks(self) -> Iterable[Task]:
        return (self,)

    async def run(self) -> None:
        self.begun += 1
        if self.begun < 3:
            raise ExceptionGroup("broken", [OSError("no files left")])
        self.goes_on.set()
        await asyncio.Event().wait()


async def test_a_part_that_fails_begins_anew_and_the_others_do_not_notice(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.runtime.process.TASK_PAUSE_SECONDS", 0.01)
    settings = load(prefix=prefix)
    frail = Frail()
    process = Process(settings, redis_url, Budget(settings.limits), Sockets(strangers(settings)))
    process.parts.append(frail)
    with capture_logs() as logs:
        running = asyncio.create_task(process.run())
        await asyncio.wait_for(frail.goes_on.wait(), 10)
    assert [(line["event"], line["part"]) for line in logs] == [("part_failed", "Frail")] * 2
    assert process.records.counts.errors == 2
    assert await process.broker.bus.wait_until_up(ANSWER_SECONDS)
    assert process.broker.bus.reconnects == 0
    running.cancel()
    await asyncio.wait([running])
