"""Who is still on V2, who has arrived on V3, who has not and who is turned away, as two processes saw it together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess

CONFIG = (
    QUIET
    + "moves_per_second = 0\n[tenants.acme]\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
QUERY = with_key("clerk")
LISTS = ("still", "arrived", "not_arrived", "turned_away")


class Operator:
    """What an operator asks of one bridge about the tenant acme."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def rows(self, name: str) -> dict[str, dict[str, Any]]:
        answer = (await self._http.get(f"/acme/census?list={name}")).json()
        return {row["client_id"]: row for row in answer["clients"]}

    async def lists(self) -> dict[str, set[str]]:
        return {name: set(await self.rows(name)) for name in LISTS}

    async def until(self, **lists: str) -> None:
        """Until the lists hold these clients, written with spaces between, and no others."""
        wanted = {name: set(lists.get(name, "").split()) for name in LISTS}
        found: dict[str, set[str]] = {}

        async def is_so() -> bool:
            nonlocal found
            found = await self.lists()
            return found == wanted

        try:
            await eventually(is_so)
        except (TimeoutError, AssertionError):
            assert found == wanted
        counts = (await self._http.get("/acme/census")).json()["counts"]
        assert counts == {name: len(clients) for name, clients in wanted.items()}

    async def until_stage(self, stage: str) -> None:
        """Until this process obeys a change that another one made."""

        async def is_so() -> bool:
            return bool((await self._http.get("/acme")).json()["stage"] == stage)

        await eventually(is_so)

    async def move(self, stage: str, **more: Any) -> None:
        answer = await self._http.put("/acme/stage", json={"stage": stage, "why": "a test", "confirm": "acme", **more})
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def operating(bridge: BridgeProcess) -> AsyncIterator[Operator]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api/tenants", headers=headers) as http:
        yield Operator(http)


def on_v2(bridge: BridgeProcess, client_id: str, query: str = QUERY) -> Any:
    return client(bridge, f"/ws/group/team/client/{client_id}?{query}", headers={"User-Agent": "kiosk/1"})


async def knock(bridge: BridgeProcess, client_id: str, query: str = QUERY) -> None:
    async with on_v2(bridge, client_id, query) as refused:
        await refused.close_code()


async def test_moved_on_one_process_and_arrived_on_another_each_is_in_its_list(bridge: StartBridge) -> None:
    first, second = [bridge(config=CONFIG) for _ in range(2)]
    async with operating(first) as one, operating(second) as other, AsyncExitStack() as stack:
        old = [await stack.enter_async_context(on_v2(first, name)) for name in ("1", "2", "3", "ann")]
        await one.until(still="1 2 3 ann")
        await one.move("v3")
        await other.until_stage("v3")
        for each in old:
            await each.close_code()
        for name in ("v2-1", "ann"):
            await stack.enter_async_context(client(second, v3_path("team", name, QUERY)))
        await knock(second, "3")
        await knock(first, "3")
        await knock(first, "4")
        for operator in (one, other):
            await operator.until(arrived="1 ann", not_arrived="2 3", turned_away="3 4")

        async def both_have_told() -> bool:
            return bool((await one.rows("not_arrived"))["3"]["knocks"] == 2)

        await eventually(both_have_told)
        row = (await one.rows("not_arrived"))["3"]
        assert (row["refused"], row["code"], row["protocol"]) == (2, "v2_retired", "v2")
        assert (row["group_id"], row["user_agent"], row["arrived_at"]) == ("team", "kiosk/1", None)
        assert row["first_seen"] < row["last_seen"] <= row["moved_at"]
        arrived = (await one.rows("arrived"))["1"]
        assert (arrived["knocks"], arrived["refused"]) == (0, 0)
        assert arrived["moved_at"] <= arrived["arrived_at"]
        await one.move("bridge")
        await other.until_stage("bridge")
        await stack.enter_async_context(on_v2(second, "3"))
        await one.until(still="3", arrived="1 ann", not_arrived="2", turned_away="4")
        back = (await one.rows("still"))["3"]
        assert (back["moved_at"], back["arrived_at"], back["knocks"]) == (None, None, 0)


async def test_the_presence_of_a_v3_client_is_no_sign_of_life_of_its_v2_self(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG)
    async with operating(running) as operator:
        async with on_v2(running, "6009"):
            await operator.until(still="6009")
        async with client(running, v3_path("team", "v2-6009", QUERY)):
            await operator.until(arrived="6009")
            seen = (await operator.rows("arrived"))["6009"]["last_seen"]
            await asyncio.sleep(1.2)
            row = (await operator.rows("arrived"))["6009"]
            assert (row["last_seen"], row["moved_at"]) == (seen, None)
            async with on_v2(running, "6009"):
                await operator.until(still="6009")
            await operator.until(arrived="6009")
        await operator.until(arrived="6009")


async def test_who_never_got_in_is_turned_away_whatever_the_door_and_the_reason(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG)
    bad = "api_key=wrong&x_account_id=acme"
    async with operating(running) as operator:
        await knock(running, "kiosk-7", bad)
        await knock(running, "kiosk-7", bad)
        for path in (v3_path("team", "ann", bad), v3_path("team", "ann", bad)):
            async with client(running, path) as refused:
                await refused.close_code()
        await knock(running, "x" * 129)
        await operator.until(turned_away=f"kiosk-7 ann {'x' * 128}")
        row = (await operator.rows("turned_away"))["kiosk-7"]
        assert (row["refused"], row["code"], row["user_agent"], row["first_seen"]) == (
            2,
            "unauthenticated",
            "kiosk/1",
            None,
        )
        assert (row["address"], row["refused_at"] is None) == ("127.0.0.0/24", False)
