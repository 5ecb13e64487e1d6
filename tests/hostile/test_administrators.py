"""What the administrator of one tenant may do: much, and nothing that another tenant, or the platform, notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Sequence

import httpx
import pytest
from redis.asyncio import Redis

from bridge.admin.pace import ORDERS_AT_ONCE
from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import RECORD_LENGTH, Change, make
from bridge.tenants.standing import Standing
from tests.end_to_end.clients import eventually
from tests.end_to_end.configuration import api_key, key
from tests.end_to_end.raw import raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.undefended import one_for_all
from tests.hostile.victims import Victims, victims

IDS = 100_000
MAP = "/admin/api/tenants/rowdy/ids"
MOST_SILENCE = 0.1
STREAMS = 64
ORDERS = 400
AT_ONCE = 8
STEP = Standing("bridge", 0, "global")
REPORTS, REPORTS_OF_A_KEY = 30, 16
DRY_RUN = {"stage": "v3"}


def admin(name: str, tenant: str) -> str:
    """The key of an administrator."""
    return key(name, tenant).replace("broadcast", "admin = true\nbroadcast")


ADMINISTERED = CONFIG + admin("chief", "rowdy") + admin("mayor", "victim") + admin("boss", "*")


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key(name)}"}


async def dearest_silence(bridge: Attacked, talking: Victims, until: asyncio.Future[httpx.Response]) -> float:
    """Of all that the process works until it is done: the largest part in which nobody heard anything."""
    parts = []
    while not until.done():
        before = bridge.cpu_seconds
        await talking.talk(1, 0)
        parts.append(bridge.cpu_seconds - before)
    return max(parts) / sum(parts)


async def others_talk_while_a_map_is_read(bridge: Attacked) -> None:
    ids = {f"user-{number}": f"Person_{number}" for number in range(IDS)}
    async with victims(bridge) as talking, httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        put = asyncio.ensure_future(api.put(MAP, json={"ids": ids}, headers=bearer("chief")))
        silence = await dearest_silence(bridge, talking, put)
        assert put.result().status_code == 200
        assert silence < MOST_SILENCE


async def test_a_large_id_map_is_read_while_others_talk(attacked: StartAttacked) -> None:
    await others_talk_while_a_map_is_read(attacked(config=ADMINISTERED))


async def test_where_it_is_read_in_one_go_they_wait_for_it(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="reading in the background")
    with pytest.raises(AssertionError, match="<"):
        await others_talk_while_a_map_is_read(bridge)


async def a_map_has_a_bound(bridge: Attacked) -> None:
    ids = {str(number): f"P{number}" for number in range(IDS + 1)}
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        answer = await api.put(MAP, json={"ids": ids}, headers=bearer("chief"))
    assert answer.status_code == 413


async def test_an_id_map_has_a_bound(attacked: StartAttacked) -> None:
    await a_map_has_a_bound(attacked(config=ADMINISTERED))


async def test_where_it_has_none_any_map_is_taken(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="bound of id maps")
    with pytest.raises(AssertionError, match="200"):
        await a_map_has_a_bound(bridge)


async def stream(bridge: Attacked, name: str, ends: contextlib.AsyncExitStack) -> int:
    """The status with which an event stream begins, which is never read."""
    raw = await ends.enter_async_context(raw_socket(bridge))
    await raw.send(request("/admin/api/events", {"Host": "a"} | bearer(name)))
    return int((await raw.some()).split()[1])


async def a_platforms_key_finds_a_stream(bridge: Attacked) -> None:
    async with contextlib.AsyncExitStack() as ends:
        for _ in range(STREAMS):
            await stream(bridge, "chief", ends)
        assert await stream(bridge, "boss", ends) == 200


async def test_the_streams_of_one_key_are_not_all_there_are(attacked: StartAttacked) -> None:
    await a_platforms_key_finds_a_stream(attacked(config=ADMINISTERED))


async def test_where_a_key_may_take_them_all_they_are(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="streams of a key")
    with pytest.raises(AssertionError, match="503"):
        await a_platforms_key_finds_a_stream(bridge)


async def a_victims_step_can_be_taken_back(bridge: Attacked, redis_url: str) -> None:
    """After another tenant was changed more often than any record has lines, as its administrator would in time."""
    addresses = Addresses(bridge.environment()["BRIDGE_PREFIX"])
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50, headers=bearer("mayor")) as api:
        await api.put("/admin/api/tenants/victim/stage", json={"stage": "v3", "why": "ours"})
        async with Redis.from_url(redis_url) as redis:
            first = (await api.get("/admin/api/tenants/rowdy", headers=bearer("chief"))).json()["version"]
            for version in range(first, first + RECORD_LENGTH + 1):
                change = Change("rowdy", version, "chief", "2026-01-01T00:00:00Z", STEP, STEP, "noise")
                await make(redis, addresses, change)
        (line,) = (await api.get("/admin/api/tenants/victim/changes")).json()
        assert line["why"] == "ours"
        assert (await api.post("/admin/api/tenants/victim/rollback")).json()["stage"] == "bridge"


async def test_however_often_a_tenant_is_changed_another_keeps_its_record(
    attacked: StartAttacked, redis_url: str
) -> None:
    await a_victims_step_can_be_taken_back(attacked(config=ADMINISTERED), redis_url)


async def test_where_all_have_one_record_it_is_pushed_out(
    attacked: StartAttacked, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = attacked(config=ADMINISTERED, without="a record for each")
    monkeypatch.setattr(Addresses, "record", one_for_all)
    with pytest.raises((AssertionError, ValueError)):
        await a_victims_step_can_be_taken_back(bridge, redis_url)


async def statuses_of_orders(bridge: Attacked) -> list[int]:
    """Of orders that the administrator of one tenant gives as fast as they are carried out, until one is refused."""
    statuses: list[int] = []
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50, headers=bearer("chief")) as api:

        async def order() -> None:
            while 429 not in statuses and len(statuses) < ORDERS:
                answer = await api.put("/admin/api/tenants/rowdy/stage", json={"stage": "bridge"})
                statuses.append(answer.status_code)
                assert answer.status_code != 429 or answer.headers["Retry-After"] == "1"

        await asyncio.gather(*(order() for _ in range(AT_ONCE)))
    return statuses


async def orders_have_a_pace(bridge: Attacked) -> None:
    statuses = await statuses_of_orders(bridge)
    assert 429 in statuses
    assert len(statuses) > ORDERS_AT_ONCE
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        for tenant, name in (("rowdy", "boss"), ("victim", "mayor")):
            answer = await api.put(f"/admin/api/tenants/{tenant}/stage", json={"stage": "bridge"}, headers=bearer(name))
            assert answer.status_code == 200


async def test_the_orders_of_one_tenant_have_a_pace_which_is_nobody_elses(attacked: StartAttacked) -> None:
    await orders_have_a_pace(attacked(config=ADMINISTERED))


async def test_where_they_have_none_all_are_carried_out(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="pace of orders")
    with pytest.raises(AssertionError, match="429 in"):
        await orders_have_a_pace(bridge)


async def others_put_their_maps_meanwhile(bridge: Attacked) -> None:
    """While the body of one tenant's map never ends."""
    head = request(MAP, {"Host": "a", "Content-Length": "1000000"} | bearer("chief"), "PUT")
    async with raw_socket(bridge) as raw, httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        await raw.send(head + b'{"ids": {')

        async def status(tenant: str, name: str) -> int:
            answer = await api.put(f"/admin/api/tenants/{tenant}/ids", json={"ids": {"42": "Ab"}}, headers=bearer(name))
            return answer.status_code

        async def is_begun() -> bool:
            return await status("rowdy", "chief") == 503

        await eventually(is_begun)
        assert [await status("victim", "mayor"), await status("rowdy", "boss")] == [200, 200]


async def test_a_map_that_is_long_in_coming_keeps_nobody_elses_out(attacked: StartAttacked) -> None:
    await others_put_their_maps_meanwhile(attacked(config=ADMINISTERED))


async def test_where_all_send_as_one_it_keeps_everybodys_out(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="bodies of a party")
    with pytest.raises(AssertionError, match="503"):
        await others_put_their_maps_meanwhile(bridge)


def dry_run(api: httpx.AsyncClient, name: str, tenant: str) -> Awaitable[httpx.Response]:
    """A report that takes a second, however little is on record."""
    return api.put(f"/admin/api/tenants/{tenant}/stage?dry_run=true", json=DRY_RUN, headers=bearer(name))


@contextlib.asynccontextmanager
async def asked_for(api: httpx.AsyncClient, reports: int) -> AsyncIterator[Sequence[asyncio.Future[httpx.Response]]]:
    """Of one tenant, all at once; in the end they are given up."""
    asked = [asyncio.ensure_future(dry_run(api, "chief", "rowdy")) for _ in range(reports)]
    try:
        yield asked
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def one_tenants_reports_are_bounded(bridge: Attacked) -> None:
    """All who are refused are so at once; before the first of the others is answered, that is."""
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50) as api, asked_for(api, REPORTS) as asked:
        for one in asyncio.as_completed(asked):
            if (await one).status_code == 200:
                break
        answers = [one.result() for one in asked if one.done()]
        refused = [answer.json()["code"] for answer in answers if answer.status_code == 503]
        assert refused == ["overloaded"] * (REPORTS - REPORTS_OF_A_KEY)
        assert (await dry_run(api, "mayor", "victim")).status_code == 200


async def test_one_tenant_asks_for_no_more_than_some_reports_at_once(attacked: StartAttacked) -> None:
    await one_tenants_reports_are_bounded(attacked(config=ADMINISTERED))


async def test_where_they_have_no_bound_all_are_made_at_once(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="turns of reports")
    with pytest.raises(AssertionError, match="=="):
        await one_tenants_reports_are_bounded(bridge)


async def reports_end_with_whoever_asked(bridge: Attacked) -> None:
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        async with contextlib.AsyncExitStack() as ends:
            for _ in range(REPORTS_OF_A_KEY):
                await ask_and_say_no_more(bridge, ends)
            await stands_for(api, 503)
        await stands_for(api, 200)


async def ask_and_say_no_more(bridge: Attacked, ends: contextlib.AsyncExitStack) -> None:
    raw = await ends.enter_async_context(raw_socket(bridge))
    body = json.dumps(DRY_RUN)
    headers = {"Host": "a", "Content-Length": str(len(body))} | bearer("chief")
    await raw.send(request("/admin/api/tenants/rowdy/stage?dry_run=true", headers, "PUT") + body.encode())


async def stands_for(api: httpx.AsyncClient, status: int) -> None:
    """What came before has arrived once some others were answered."""
    for _ in range(5):
        await api.get("/healthz")
    assert (await api.get("/admin/api/tenants/rowdy/ledger", headers=bearer("chief"))).status_code == status


async def test_a_report_ends_with_whoever_asked_for_it(attacked: StartAttacked) -> None:
    await reports_end_with_whoever_asked(attacked(config=ADMINISTERED))


async def test_where_it_does_not_those_that_nobody_waits_for_keep_others_out(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="reports of the gone")
    with pytest.raises(AssertionError, match="503"):
        await reports_end_with_whoever_asked(bridge)
