"""The admin API on two running bridges: one carries orders out, both obey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch

OBEYED_SECONDS = 2.5
AWAY_SECONDS = 3.0
"""Until it is known that Redis does not answer."""
CONFIG = (
    "[tenants.acme]\nsunset = 2027-06-30\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + key("chief", "acme").replace("broadcast", "admin = true\nbroadcast")
)


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge(config=CONFIG) for _ in range(2)]


@pytest.fixture
async def http(bridges: list[BridgeProcess]) -> AsyncIterator[httpx.AsyncClient]:
    """The API of the first bridge for an administrator of all tenants; after the test `acme` is as it was."""
    async with administrator(bridges[0], "boss") as api:
        yield api
        await api.put("/tenants/acme/stage", json={"stage": "bridge", "v2_routing": "global"})
        await api.put("/tenants/acme/ids?replace=true", json={"ids": {}})


def administrator(bridge: BridgeProcess, name: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {api_key(name)}"}
    return httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers)


async def state(http: httpx.AsyncClient, tenant: str = "acme") -> dict[str, Any]:
    answer = await http.get(f"/tenants/{tenant}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def standing(http: httpx.AsyncClient) -> dict[str, Any]:
    """What orders change of a tenant: whoever was connected before may still be counted for a moment."""
    return {name: value for name, value in (await state(http)).items() if name not in ("connections", "messages")}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer", 401),
        ("Bearer nobody", 401),
        (f"Basic {api_key('boss')}", 401),
        (f"Bearer {api_key('clerk')}", 403),
        (f"bearer {api_key('boss')}", 200),
    ],
)
async def test_only_an_admin_key_opens_it(bridges: list[BridgeProcess], header: str | None, status: int) -> None:
    async with httpx.AsyncClient() as http:
        headers = {} if header is None else {"Authorization": header}
        answer = await http.get(f"{bridges[0].url}/admin/api/tenants", headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["msg"]


async def test_an_administrator_sees_the_tenants_of_the_key_alone(bridges: list[BridgeProcess]) -> None:
    async with administrator(bridges[0], "boss") as boss, administrator(bridges[0], "chief") as chief:
        assert [one["tenant"] for one in (await boss.get("/tenants")).json()] == ["acme", "other"]
        assert [one["tenant"] for one in (await chief.get("/tenants")).json()] == ["acme"]
        assert (await chief.get("/tenants/other")).status_code == 404
        assert (await chief.put("/tenants/other/stage", json={"stage": "v3"})).status_code == 404


async def test_a_tenant_says_where_it_stands_and_who_is_connected_anywhere(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    query = with_key("clerk")
    async with (
        client(bridges[0], f"/ws/client/42?{query}"),
        client(bridges[1], v3_path("g", "ann", query)),
        client(bridges[1], v3_path("g", "bob", query)),
    ):

        async def counted() -> bool:
            connections: dict[str, int] = (await state(http))["connections"]
            return connections == {"v2": 1, "v3": 2, "socketio": 0}

        await eventually(counted)
        found = await state(http)
        assert (found["stage"], found["share"], found["v2_routing"], found["sunset"]) == (
            "bridge",
            0,
            "global",
            "2027-06-30",
        )


async def test_a_change_is_obeyed_by_every_process_and_taken_back(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    async with client(bridges[1], f"/ws/client/42?{with_key('clerk')}") as old:
        answer = await http.put(
            "/tenants/acme/stage", json={"stage": "v3", "why": "the day has come", "confirm": "acme"}
        )
        assert answer.status_code == 200
        assert answer.json()["stage"] == "v3"
        assert await old.close_code(OBEYED_SECONDS) == 4410
    version = answer.json()["version"]
    undone = await http.post("/tenants/acme/rollback", json={"why": "not for everyone"})
    assert (undone.json()["stage"], undone.json()["version"]) == ("bridge", version + 1)
    newest, before = (await http.get("/tenants/acme/changes")).json()[:2]
    assert (before["who"], before["from"], before["to"], before["why"]) == ("boss", "bridge", "v3", "the day has come")
    assert (newest["rolls_back"], newest["to"], newest["why"]) == (version, "bridge", "not for everyone")


async def test_a_stale_version_changes_nothing(http: httpx.AsyncClient) -> None:
    version = (await state(http))["version"]
    assert (
        await http.put("/tenants/acme/stage", json={"stage": "drain", "share": 5, "version": version})
    ).status_code == 200
    answer = await http.put("/tenants/acme/stage", json={"share": 9, "version": version})
    assert (answer.status_code, answer.json()["version"]) == (409, version + 1)
    assert (await state(http))["share"] == 5


async def test_of_two_changes_at_once_one_is_made(bridges: list[BridgeProcess], http: httpx.AsyncClient) -> None:
    version, order = (await state(http))["version"], {"stage": "drain", "share": 7}
    async with administrator(bridges[1], "boss") as second:
        answers = await asyncio.gather(
            *(api.put("/tenants/acme/stage", json=order | {"version": version}) for api in (http, second))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"stage": "v4"}', "stage"),
        (b'{"share": 101}', "share"),
        (b'{"share": 12.255}', "share"),
        (b'{"share": -0.01}', "share"),
        (b'{"share": true}', "share"),
        (b'{"share": "10"}', "share"),
        (b'{"share": NaN}', "share"),
        (b'{"share": 1e999}', "share"),
        (b'{"share": %b}' % (b"1" * 5_000), ""),
        (b'{"stage": "v3", "force": "yes"}', "force"),
        (b'{"v2_routing": "all"}', "v2_routing"),
        (b'{"unknown": 1}', "unknown"),
        (b'{"stage": "v3", "why": "\\ud800"}', ""),
        (b'{"why": "nothing is ordered"}', ""),
        (b"{}", ""),
        (b"[]", ""),
        (b"[Infinity]", ""),
        (b"[" * 60_000, ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
    ids=lambda value: value[:32].decode(errors="replace") if isinstance(value, bytes) else "",
)
async def test_an_order_that_makes_no_sense_is_refused_in_the_words_of_every_refusal(
    http: httpx.AsyncClient, body: bytes, field: str
) -> None:
    before = await standing(http)
    for order in ("stage", "stage?dry_run=true"):
        answer = await http.put(f"/tenants/acme/{order}", content=body)
        refused = answer.json()
        assert (answer.status_code, refused["code"], refused["detail"][0]["field"]) == (422, "invalid_order", field)
        assert refused["detail"][0]["problem"] in refused["msg"]
    assert await standing(http) == before


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"stage": "bridge", "share": 25}, "a share exists in drain alone"),
        ({"stage": "v3", "share": 0}, "a share exists in drain alone"),
        ({"share": 25}, "a share exists in drain alone"),
        ({"stage": "drain"}, "drain needs a share"),
    ],
)
async def test_a_share_is_named_with_drain_and_with_no_other_stage(
    http: httpx.AsyncClient, order: dict[str, Any], words: str
) -> None:
    before = await standing(http)
    for path in ("stage", "stage?dry_run=true"):
        answer = await http.put(f"/tenants/acme/{path}", json=order)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_order")
        assert answer.json()["msg"].startswith(words)
    assert await standing(http) == before


async def test_the_share_of_a_drain_that_is_over_is_forgotten(http: httpx.AsyncClient) -> None:
    drained = await http.put("/tenants/acme/stage", json={"stage": "drain", "share": 12.25})
    assert (drained.status_code, drained.json()["share"]) == (200, 12.25)
    assert (await http.put("/tenants/acme/stage", json={"stage": "bridge"})).json()["share"] == 0
    again = await http.put("/tenants/acme/stage", json={"stage": "drain"})
    assert (again.status_code, (await state(http))["share"]) == (422, 0)


async def test_a_rollback_after_a_step_back_by_hand_closes_nobody(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    for order in ({"stage": "drain", "share": 100}, {"stage": "v3"}):
        assert (await http.put("/tenants/other/stage", json=order | {"confirm": "other"})).status_code == 200
    assert (await http.post("/tenants/other/rollback")).json()["stage"] == "drain"
    assert (await http.put("/tenants/other/stage", json={"stage": "bridge"})).json()["stage"] == "bridge"
    for query in ("?dry_run=true", ""):
        answer = await http.post(f"/tenants/other/rollback{query}")
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_roll_back")
        assert "its last step was drain 100 % -> bridge, by boss at " in answer.json()["msg"]
    assert (await state(http, "other"))["stage"] == "bridge"


async def test_a_step_that_closes_open_v2_sockets_wants_the_name_of_the_tenant(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    """CRC-32 puts `42` into bucket 88.52, and `a` into one between 7 and 8."""
    query = with_key("clerk")
    async with client(bridges[0], f"/ws/client/42?{query}") as stays, client(bridges[1], f"/ws/client/a?{query}"):

        async def are_counted() -> bool:
            answer = await http.put("/tenants/acme/stage", json={"stage": "v3"})
            return bool(answer.json().get("sockets") == 2)

        await eventually(are_counted, OBEYED_SECONDS)
        for order, sockets in (({"stage": "v3"}, 2), ({"stage": "drain", "share": 50}, 1)):
            for confirm in ({}, {"confirm": "other"}):
                answer = await http.put("/tenants/acme/stage", json=order | confirm)
                assert (answer.status_code, answer.json()["code"]) == (409, "unconfirmed")
                assert answer.json()["sockets"] == sockets
                assert "send `confirm` with the name of the tenant, 'acme'" in answer.json()["msg"]
        assert (await http.put("/tenants/acme/stage", json={"stage": "drain", "share": 7})).status_code == 200
        assert await stays.ask({"msg": "hi"}) == {"msg": "hi"}


async def test_what_is_forced_needs_a_reason_though_nothing_holds_it(http: httpx.AsyncClient) -> None:
    answer = await http.put("/tenants/acme/stage", json={"stage": "v3", "force": True, "confirm": "acme"})
    assert (answer.status_code, answer.json()["code"]) == (400, "reason_missing")


async def test_guards_are_set_live_recorded_and_known_to_every_process(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    limits = {"stashed_percent": 2.5, "lost_percent": 20, "grace_seconds": 60}
    answer = await http.put("/tenants/acme/guards", json=limits | {"why": "kiosks need a minute"})
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in limits} == limits
    assert [verdict["name"] for verdict in answer.json()["verdicts"]] == ["stashed_percent", "lost_percent"]
    async with administrator(bridges[1], "boss") as second:

        async def is_known() -> bool:
            known = (await second.get("/tenants/acme/guards")).json()
            return {name: known[name] for name in limits} == limits

        await eventually(is_known, OBEYED_SECONDS)
    assert (await http.put("/tenants/acme/guards", json={"lost_percent": None})).json()["lost_percent"] is None
    off, on = (await http.get("/tenants/acme/changes")).json()[:2]
    assert (on["kind"], on["who"], on["why"]) == ("guards", "boss", "kiosks need a minute")
    assert (on["from_guards"]["grace_seconds"], on["guards"]["grace_seconds"]) == (120, 60)
    assert (off["from_guards"]["lost_percent"], off["guards"]["lost_percent"]) == (20, None)
    await http.put("/tenants/acme/guards", json={"stashed_percent": None, "grace_seconds": 120})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"lost_percent": 101}, "lost_percent"),
        ({"lost_percent": 5, "grace_seconds": 900}, "grace_seconds must be less than watch_minutes"),
        ({"refusals_per_minute": 5}, "refusals_per_minute"),
        ({"quiet_days": "7"}, "quiet_days"),
        ({"watch_minutes": None}, "watch_minutes"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(http: httpx.AsyncClient, body: dict[str, Any], words: str) -> None:
    answer = await http.put("/tenants/acme/guards", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_order")
    assert words in answer.json()["msg"]


async def test_a_step_back_may_say_nothing_but_no_nonsense(http: httpx.AsyncClient) -> None:
    await http.put("/tenants/acme/stage", json={"stage": "drain", "share": 7})
    for body in (b'{"version": NaN}', b'{"stage": "v3"}', b"null"):
        assert (await http.post("/tenants/acme/rollback", content=body)).status_code == 422
    assert (await state(http))["share"] == 7
    assert (await http.post("/tenants/acme/rollback")).json()["share"] == 0


async def test_an_order_has_a_bound(http: httpx.AsyncClient) -> None:
    answer = await http.put("/tenants/acme/stage", content=b" " * 100_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_big")


async def test_whoever_has_no_key_is_told_so_whatever_they_order(bridges: list[BridgeProcess]) -> None:
    async with httpx.AsyncClient(base_url=f"{bridges[0].url}/admin/api") as stranger:
        for body in (b'{"stage": "v3"}', b"{", b"[" * 1_000):
            answer = await stranger.put("/tenants/acme/stage", content=body)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("order", ["PUT /tenants/acme/stage", "POST /tenants/acme/rollback", "PUT /tenants/acme/ids"])
async def test_whoever_goes_away_in_the_middle_of_an_order_leaves_nothing_behind(
    bridges: list[BridgeProcess], http: httpx.AsyncClient, order: str
) -> None:
    """The log is held to have no traceback when the bridges end."""
    before = await standing(http)
    method, _, path = order.partition(" ")
    head = f"{method} /admin/api{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {api_key('boss')}\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", bridges[0].port)
    writer.write(f"{head}Content-Length: 500\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await standing(http) == before


async def test_what_is_not_served_is_said_in_the_words_of_every_refusal(http: httpx.AsyncClient) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/tenants/acme/stage/", 404, "not_found"),
        ("DELETE", "/tenants/acme/stage", 405, "method_not_allowed"),
        ("GET", "/tenants/acme/census?most=0", 422, "invalid_request"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["msg"]


async def test_there_is_nothing_to_take_back_where_nothing_was_done(http: httpx.AsyncClient) -> None:
    answer = await http.post("/tenants/other/rollback")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_roll_back")


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_while_redis_is_away_the_answer_says_so_and_soon(
    bridge: StartBridge, redis_server: StartRedis, how: str
) -> None:
    redis = redis_server()
    running = bridge(config=CONFIG, redis=redis.url)
    await asyncio.to_thread(getattr(redis, how))
    async with administrator(running, "boss") as http:
        for asked in (http.get("/tenants"), http.put("/tenants/acme/stage", json={"stage": "v3"})):
            stopwatch = Stopwatch()
            answer = await asked
            assert (answer.status_code, answer.json()["code"]) == (503, "bus_down")
            assert answer.headers["retry-after"]
            assert stopwatch.least_seconds < AWAY_SECONDS


async def test_an_id_map_in_which_a_key_stands_twice_is_refused(http: httpx.AsyncClient) -> None:
    body = '{"ids":{"1":"First","1":"Second"}}'
    answer = await http.put("/tenants/acme/ids", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_ids")
    assert (await state(http))["ids"] == 0


# What is on record, and the guards that judge it.

GUARDED_CONFIG = QUIET + CONFIG.replace("[tenants.other]", "guard.stashed_percent = 10\n[tenants.other]")


async def test_junk_in_a_record_is_in_the_way_of_no_order(
    redis_url: str, module_prefix: str, http: httpx.AsyncClient
) -> None:
    junk: Any = {"tenant": "acme", "change": "{}"}
    async with Redis.from_url(redis_url) as redis:
        for name in (Addresses(module_prefix).changes, Addresses(module_prefix).record("acme")):
            await redis.xadd(name, junk)
    assert (await http.put("/tenants/acme/stage", json={"stage": "v3", "why": "the last one"})).status_code == 200
    answer = await http.get("/tenants/acme/changes")
    assert (answer.status_code, answer.json()[0]["why"]) == (200, "the last one")
    assert (await http.post("/tenants/acme/rollback")).json()["stage"] == "bridge"


REPORTS = ("census", "ledger", "history", "guards", "changes")
SAID = ({"msg": "hi", "volume": 3}, {"msg": "ho", "volume": "loud"}, {"from_id": "boss"})


@pytest.fixture(scope="module")
def guarded(module_bridge: StartBridge, module_prefix: str) -> BridgeProcess:
    """A bridge whose tenant `acme` has a guard, apart from the other two."""
    return module_bridge(config=GUARDED_CONFIG, prefix=f"{module_prefix}-guarded")


@pytest.fixture(scope="module")
async def desk(anyio_backend: Any, guarded: BridgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    """Its API, once V2 client 42 and V3 client ann have said something and it is on record."""
    query = with_key("clerk")
    async with (
        administrator(guarded, "boss") as api,
        client(guarded, f"/ws/client/42?{query}", headers={"User-Agent": "kiosk/1"}) as old,
        client(guarded, v3_path("lobby", "ann", query)) as new,
    ):
        for said in SAID:
            await old.say(said)
        await new.ask({"msg_type": "msg", "target": "group", "msg": "hi"})

        async def is_on_record() -> bool:
            census = (await api.get("/tenants/acme/census?protocol=all")).json()
            return {one["client_id"]: one["messages"] for one in census["clients"]} == {"42": 3, "ann": 1}

        await eventually(is_on_record)
        yield api


async def test_a_dry_run_says_what_a_step_would_change_and_changes_nothing(desk: httpx.AsyncClient) -> None:
    before = await state(desk)
    order = {"stage": "v3", "why": "only asked", "version": before["version"]}
    answer = await desk.put("/tenants/acme/stage?dry_run=true", json=order)
    assert answer.status_code == 200
    prediction = answer.json()
    assert (prediction["from"]["stage"], prediction["to"]["stage"], prediction["forward"]) == ("bridge", "v3", True)
    assert [(one["client_id"], one["code"], one["messages"]) for one in prediction["refused"]] == [
        ("42", "v2_retired", 3)
    ]
    pairs = [(one["speaker"]["client_id"], one["listener"]["client_id"]) for one in prediction["silenced"]]
    assert sorted(pairs) == [("42", "ann"), ("ann", "42")]
    totals = prediction["totals"]
    assert [totals[name] for name in ("refused", "silenced", "quieter")] == [1, 2, 0]
    assert {name: totals["none"][name] for name in ("clients", "new", "listeners")} == {
        "clients": 1,
        "new": 1,
        "listeners": 1,
    }
    assert (prediction["new"], prediction["on_v2"]) == ({"clients": 1, "pairs": 2}, 1)
    assert [guard["holds"] for guard in prediction["guards"]] == [False]
    assert prediction["traffic"] == {"messages": 4, "affected": 4, "share": 1.0}
    assert (prediction["complete"], prediction["version"]) == (True, before["version"])
    assert await state(desk) == before
    assert (await desk.get("/tenants/acme/changes")).json() == []


async def test_a_dry_run_of_nonsense_is_refused_like_the_step(desk: httpx.AsyncClient) -> None:
    assert (await desk.put("/tenants/acme/stage?dry_run=true", json={"stage": "v4"})).status_code == 422
    assert (await desk.put("/tenants/acme/stage?dry_run=perhaps", json={"stage": "v3"})).status_code == 422
    answer = await desk.put("/tenants/nobody/stage?dry_run=true", json={"stage": "v3"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_tenant")


async def test_a_guard_holds_a_step_back_until_it_is_forced_for_a_reason_and_a_step_back_is_free(
    desk: httpx.AsyncClient,
) -> None:
    order: dict[str, Any] = {"stage": "drain", "share": 0, "confirm": "acme"}
    held = await desk.put("/tenants/acme/stage", json=order)
    assert (held.status_code, held.json()["code"]) == (409, "guard_failed")
    (guard,) = held.json()["guards"]
    assert (guard["name"], guard["limit"], guard["value"], guard["holds"]) == ("stashed_percent", 10, 33.33, False)
    assert guard["msg"] in held.json()["msg"]
    assert (await desk.get("/tenants/acme/guards")).json()["verdicts"] == [guard]
    without = await desk.put("/tenants/acme/stage", json=order | {"force": True, "why": " "})
    assert (without.status_code, without.json()["code"]) == (400, "reason_missing")
    assert (await state(desk))["stage"] == "bridge"
    forced = await desk.put("/tenants/acme/stage", json=order | {"force": True, "why": "the kiosk can wait"})
    assert (forced.status_code, forced.json()["stage"]) == (200, "drain")
    predicted = await desk.post("/tenants/acme/rollback?dry_run=true")
    assert (predicted.json()["to"]["stage"], predicted.json()["forward"]) == ("bridge", False)
    assert (await state(desk))["stage"] == "drain"
    assert (await desk.post("/tenants/acme/rollback")).json()["stage"] == "bridge"
    back, step = (await desk.get("/tenants/acme/changes")).json()
    assert (step["forced"], step["why"], step["kind"]) == (["stashed_percent"], "the kiosk can wait", "change")
    assert (back["forced"], back["rolls_back"], back["kind"]) == ([], step["version"], "rollback")


async def test_of_a_rollback_of_nothing_nothing_can_be_predicted(desk: httpx.AsyncClient) -> None:
    answer = await desk.post("/tenants/other/rollback?dry_run=true")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_roll_back")


async def test_a_rollback_by_somebody_who_saw_an_older_version_is_refused(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    made = await http.put("/tenants/acme/stage", json={"stage": "drain", "share": 3})
    version = made.json()["version"]
    answer = await http.post("/tenants/acme/rollback", json={"version": version - 1})
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (409, "stale", version)
    assert (await http.post("/tenants/acme/rollback", json={"version": version})).json()["stage"] == "bridge"


async def test_the_census_says_who_is_still_on_v2(desk: httpx.AsyncClient) -> None:
    census = (await desk.get("/tenants/acme/census")).json()
    assert (census["tenant"], census["total"], census["days"], census["forgotten"]) == ("acme", 1, 35, 0)
    (client_,) = census["clients"]
    assert (client_["client_id"], client_["group_id"], client_["protocol"]) == ("42", "lobby", "v2")
    assert (client_["messages"], client_["user_agent"]) == (3, "kiosk/1")
    assert (census["list"], census["counts"]) == (
        "still",
        {"still": 1, "arrived": 0, "not_arrived": 0, "turned_away": 0},
    )
    assert client_["first_seen"] <= client_["last_seen"]
    everyone = (await desk.get("/tenants/acme/census?protocol=all&most=1")).json()
    assert (everyone["total"], len(everyone["clients"])) == (2, 1)
    new = (await desk.get("/tenants/acme/census?protocol=v3")).json()
    assert [one["client_id"] for one in new["clients"]] == ["ann"]


@pytest.mark.parametrize(
    "query", ["protocol=v4", "protocol=", "most=0", "most=100001", "most=some", "list=", "list=v2"]
)
async def test_a_census_of_nonsense_is_refused(desk: httpx.AsyncClient, query: str) -> None:
    assert (await desk.get(f"/tenants/acme/census?{query}")).status_code == 422


async def test_the_ledger_says_what_became_of_messages_and_names_keys_without_their_values(
    desk: httpx.AsyncClient,
) -> None:
    answer = await desk.get("/tenants/acme/ledger")
    ledger = answer.json()
    assert ledger["outcomes"]["v2_to_v3"] == {"exact": 2, "stashed": 1, "suppressed": 0}
    assert ledger["outcomes"]["v3_to_v2"] == {"exact": 1, "stashed": 0, "suppressed": 0}
    (volume,) = (key for key in ledger["keys"] if key["name"] == "volume")
    assert (volume["seen"], volume["first_seen"] <= volume["last_seen"]) == (2, True)
    assert "boss" not in answer.text
    assert "loud" not in answer.text


async def test_the_history_has_what_was_said_in_its_minutes_and_hours(desk: httpx.AsyncClient) -> None:
    history = (await desk.get("/tenants/acme/history")).json()
    for moments in (history["minutes"], history["hours"]):
        assert sum(moment["messages"]["v2"] for moment in moments) == 3
        assert sum(moment["messages"]["v3"] for moment in moments) == 1


async def test_a_tenant_says_how_much_was_said_by_the_processes_that_live(desk: httpx.AsyncClient) -> None:
    async def is_counted() -> bool:
        return bool((await state(desk))["messages"] == {"v2": 3, "v3": 1})

    await eventually(is_counted)
    assert (await state(desk))["lost_at"] is None


@pytest.mark.parametrize("report", REPORTS)
async def test_a_report_is_for_administrators_of_that_tenant_alone(guarded: BridgeProcess, report: str) -> None:
    for name, tenant, status in (("clerk", "acme", 403), ("chief", "other", 404), ("boss", "nobody", 404)):
        async with administrator(guarded, name) as api:
            assert (await api.get(f"/tenants/{tenant}/{report}")).status_code == status
    async with httpx.AsyncClient() as nobody:
        assert (await nobody.get(f"{guarded.url}/admin/api/tenants/acme/{report}")).status_code == 401
