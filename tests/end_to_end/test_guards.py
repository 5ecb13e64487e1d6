"""Guards on two running processes: one holds a step back, one takes it back by itself, and one is overruled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import redis.asyncio

from bridge.cutover.lost import LEAST_KNOCKS
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess

SOON_SECONDS = 6.0
LIMIT = 30
STASHED, LOST = "guard.stashed_percent = 10\n", f"guard.lost_percent = {LIMIT}\nguard.grace_seconds = 1\n"
TENANTS = {"held": STASHED, "watched": LOST, "quiet": LOST, "overruled": STASHED + LOST, "live": STASHED}
KNOWN = [f"kiosk-{number}" for number in range(4)]
AGAIN_AND_AGAIN = LEAST_KNOCKS + 1
"""Knocks of a client that is not connected: the first one tells it to move."""
CONFIG = (
    QUIET
    + "".join(f"[tenants.{name}]\n{table}" + key(name, name) for name, table in TENANTS.items())
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
WHY = "the kiosk can wait"


class Tenant:
    """A tenant as both processes know it."""

    def __init__(self, name: str, bridges: Sequence[BridgeProcess], apis: Sequence[httpx.AsyncClient]) -> None:
        self.name = name
        self.old = f"/ws/client/42?{with_key(name)}"
        self.new = v3_path("lobby", "ann", with_key(name))
        self._path = f"/tenants/{name}"
        self._bridges = bridges
        self._apis = apis

    async def order(self, **order: Any) -> httpx.Response:
        return await self._apis[0].put(f"{self._path}/stage", json={"confirm": self.name} | order)

    async def record(self) -> list[dict[str, Any]]:
        changes: list[dict[str, Any]] = (await self._apis[1].get(f"{self._path}/changes")).json()
        return changes

    async def until_it_stands_in(self, stage: str) -> None:
        async def does() -> bool:
            states = [(await api.get(self._path)).json()["stage"] for api in self._apis]
            return states == [stage] * len(states)

        await eventually(does, SOON_SECONDS)

    async def until_a_guard_fails(self) -> None:
        async def does() -> bool:
            return not all(one["holds"] for one in await self.verdicts())

        await eventually(does, SOON_SECONDS)

    async def knock(self, *names: str) -> None:
        """V2 knocks, and is refused by one process as by the other."""
        for number, name in enumerate(names):
            _, close_code = await refused(self._bridges[number % 2], self.old.replace("/42", f"/{name}"))
            assert close_code == 4410

    async def meet(self, *names: str) -> None:
        """Clients that were let in, and are known from now on."""
        async with AsyncExitStack() as everyone:
            for number, name in enumerate(names):
                path = self.old.replace("/42", f"/{name}")
                await everyone.enter_async_context(client(self._bridges[number % 2], path))

        async def are_known() -> bool:
            census = (await self._apis[0].get(f"{self._path}/census")).json()
            return {one["client_id"] for one in census["clients"]} >= set(names)

        await eventually(are_known, SOON_SECONDS)

    async def verdicts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._apis[1].get(f"{self._path}/guards")).json()["verdicts"]
        return found

    async def until_so_many_percent_are_lost(self, percent: float) -> None:
        async def are() -> bool:
            return [one["value"] for one in await self.verdicts() if one["name"] == "lost_percent"] == [percent]

        await eventually(are, SOON_SECONDS)

    async def say_what_must_be_stashed(self) -> None:
        async with client(self._bridges[0], self.old) as old:
            await old.ask({"from_id": "boss"})
        await self.until_a_guard_fails()


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge(config=CONFIG) for _ in range(2)]


@pytest.fixture
async def apis(bridges: list[BridgeProcess]) -> AsyncIterator[list[httpx.AsyncClient]]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    urls = [f"{bridge.url}/admin/api" for bridge in bridges]
    async with (
        httpx.AsyncClient(base_url=urls[0], headers=headers) as first,
        httpx.AsyncClient(base_url=urls[1], headers=headers) as second,
    ):
        yield [first, second]


async def test_a_failing_guard_holds_a_step_back_and_nobody_notices_until_it_is_forced(
    bridges: list[BridgeProcess], apis: list[httpx.AsyncClient]
) -> None:
    tenant = Tenant("held", bridges, apis)
    await tenant.say_what_must_be_stashed()
    async with client(bridges[1], tenant.old) as old:
        held = await tenant.order(stage="v3", why=WHY)
        assert (held.status_code, held.json()["code"]) == (409, "guard_failed")
        assert [guard["name"] for guard in held.json()["guards"]] == ["stashed_percent"]
        without = await tenant.order(stage="v3", force=True)
        assert (without.status_code, without.json()["code"]) == (400, "reason_missing")
        assert await tenant.record() == []
        assert await old.ask({"msg": "still here"}) == {"msg": "still here"}
        assert (await tenant.order(stage="v3", force=True, why=WHY)).status_code == 200
        assert await old.close_code() == 4410
    (change,) = await tenant.record()
    assert (change["who"], change["forced"], change["why"]) == ("boss", ["stashed_percent"], WHY)


async def test_a_step_that_loses_too_many_is_taken_back_once_and_says_so_and_the_next_is_judged_afresh(
    bridges: list[BridgeProcess], apis: list[httpx.AsyncClient]
) -> None:
    tenant = Tenant("watched", bridges, apis)
    await tenant.meet(*KNOWN)
    assert (await tenant.order(stage="v3", why=WHY)).status_code == 200
    await tenant.until_it_stands_in("v3")
    await tenant.knock(*KNOWN * AGAIN_AND_AGAIN)
    await tenant.until_it_stands_in("bridge")
    taken_back, step = await tenant.record()
    assert (taken_back["who"], taken_back["kind"], taken_back["rolls_back"]) == ("guard", "rollback", step["version"])
    assert taken_back["why"].startswith("taken back by guard: lost_percent: Of 4 clients that the newest step moved ")
    assert (step["who"], step["to"], step["forced"]) == ("boss", "v3", [])
    for bridge in bridges:
        async with client(bridge, tenant.old) as old, client(bridge, tenant.new) as new:
            assert await old.ask({"msg": "back again"}) == {"msg": "back again"}
            assert (await new.hear())["msg"] == "back again"
    assert await rollbacks(bridges) == 1
    assert (await tenant.order(stage="v3", why=WHY)).status_code == 200
    await tenant.until_it_stands_in("v3")
    await tenant.knock("42")
    await tenant.until_so_many_percent_are_lost(0)
    assert [change["to"] for change in await tenant.record()] == ["v3", "bridge", "v3"]


async def test_nobody_undoes_a_step_by_knocking(bridges: list[BridgeProcess], apis: list[httpx.AsyncClient]) -> None:
    """Not by one known id, however often, nor by ids that were never let in: strangers, or on another door."""
    tenant = Tenant("quiet", bridges, apis)
    await tenant.meet("42", *KNOWN)
    assert (await tenant.order(stage="v3", why=WHY)).status_code == 200
    await tenant.until_it_stands_in("v3")
    strangers = [f"stranger-{number}" for number in range(25)]
    await tenant.knock(*KNOWN, *strangers * AGAIN_AND_AGAIN, *["42"] * 10)
    await tenant.until_so_many_percent_are_lost(20)
    assert [change["kind"] for change in await tenant.record()] == ["change"]


async def test_a_step_that_was_forced_is_neither_held_up_nor_taken_back(
    bridges: list[BridgeProcess], apis: list[httpx.AsyncClient]
) -> None:
    """`lost_percent` is forced before it can fail, and named in the record with the guard that did fail."""
    tenant = Tenant("overruled", bridges, apis)
    await tenant.say_what_must_be_stashed()
    await tenant.meet(*KNOWN)
    assert (await tenant.order(stage="v3", force=True, why=WHY)).status_code == 200
    await tenant.until_it_stands_in("v3")
    await tenant.knock(*KNOWN * AGAIN_AND_AGAIN)
    await tenant.until_so_many_percent_are_lost(100)
    (step,) = await tenant.record()
    assert step["forced"] == ["stashed_percent", "lost_percent"]


async def test_limits_that_are_set_live_are_obeyed_by_the_next_order(
    bridges: list[BridgeProcess], apis: list[httpx.AsyncClient]
) -> None:
    tenant = Tenant("live", bridges, apis)
    await tenant.say_what_must_be_stashed()
    assert (await tenant.order(stage="v3", why=WHY)).json()["code"] == "guard_failed"
    limits = await apis[1].put("/tenants/live/guards", json={"stashed_percent": None, "why": "known, and mended"})
    assert (limits.status_code, limits.json()["verdicts"]) == (200, [])
    assert (await tenant.order(stage="v3", why=WHY)).status_code == 200
    step, change = await tenant.record()
    assert (change["kind"], change["who"], change["why"]) == ("guards", "boss", "known, and mended")
    assert (change["from_guards"]["stashed_percent"], change["guards"]["stashed_percent"]) == (10, None)
    assert step["forced"] == []


async def rollbacks(bridges: Sequence[BridgeProcess]) -> float:
    """Of all processes, as `/metrics` counts them."""
    async with httpx.AsyncClient() as http:
        texts = [(await http.get(f"{bridge.url}/metrics")).text for bridge in bridges]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("bridge_guard_rollbacks_total ")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("field", ["null", "[]", "7", '{"who":1}', "no JSON"])
async def test_whatever_stands_in_redis_guards_end_no_process(
    bridge: StartBridge, redis_url: str, prefix: str, field: str
) -> None:
    running = bridge(config="[tenants.default]\nguard.quiet_days = 1\n")
    async with redis.asyncio.Redis.from_url(redis_url) as asking, httpx.AsyncClient() as http:
        await asking.hset(f"{prefix}:tenant:default", "change", field)

        async def looked() -> bool:
            lines = (await http.get(f"{running.url}/metrics")).text.splitlines()
            return any(float(line.split()[-1]) > 0 for line in lines if line.startswith("bridge_guard_failures_total"))

        await eventually(looked)
        assert running.is_running


async def test_a_bridge_that_records_nothing_sets_no_limit(bridge: StartBridge) -> None:
    boss = key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    running = bridge(config=f"records = false\n[tenants.acme]\n{boss}")
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{running.url}/admin/api/tenants/acme", headers=headers) as http:
        answer = await http.put("/guards", json={"lost_percent": 5})
        assert (answer.status_code, answer.json()["code"]) == (409, "no_records")
        assert "records = false" in answer.json()["msg"]
        assert (await http.get("/guards")).json()["lost_percent"] is None
