"""The HTTP surface as a backend, an operator and a scraper see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import QUIET, SECRET, UNHURRIED, api_key, key, token, with_key
from tests.end_to_end.raw import raw_socket, request
from tests.servers import BridgeProcess

CONFIG = (
    QUIET
    + UNHURRIED
    + "[tenants.acme]\n[tenants.beta]\n"
    + '[tenants.old]\nstage = "legacy"\n'
    + key("acme", "acme")
    + key("muted", "acme", broadcast="none")
    + key("operator", "*", broadcast="platform")
    + key("old", "old")
    + "[jwt]\n"
)
SAID = {"msg_type": "cmd", "target": "group", "group_id": "team", "from_id": "billing", "cmd": "RELOAD"}


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG, environment={"BRIDGE_JWT_SECRET": SECRET})


@pytest.fixture(scope="module")
def open_bridge(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=UNHURRIED)


@pytest.fixture
async def http(shared: BridgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shared.url) as asking:
        yield asking
    assert "Traceback" not in shared.log


@pytest.fixture
async def ann(shared: BridgeProcess) -> AsyncIterator[Client]:
    async with client(shared, v3_path("team", "ann", with_key("acme"))) as one:
        yield one


@pytest.fixture
async def legacy(shared: BridgeProcess) -> AsyncIterator[Client]:
    async with client(shared, f"/ws/group/team/client/42?{with_key('acme')}") as one:
        yield one


def say(http: httpx.AsyncClient, said: Any, name: str = "acme", query: str = "") -> Any:
    """POST, with the key of that name in its header."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return http.post(f"/v3/messages?{query}", content=body, headers={"X-Api-Key": api_key(name)})


async def test_a_backend_says_a_message_as_whoever_it_names(
    http: httpx.AsyncClient, ann: Client, legacy: Client
) -> None:
    answer = await say(http, SAID)
    assert answer.status_code == 202
    heard = await ann.hear()
    assert answer.json() == {"ok": True, "sent_at": heard["sent_at"]}
    assert heard == SAID | {"version": "3", "sent_at": heard["sent_at"]}
    frame = await legacy.hear()
    assert (frame["cmd"], frame["client_id"], frame["group_id"]) == ("RELOAD", "billing", "team")


async def test_a_backend_that_names_nobody_is_the_server_in_the_lobby(
    http: httpx.AsyncClient, shared: BridgeProcess
) -> None:
    async with client(shared, v3_path("lobby", "lou", with_key("acme"))) as lou:
        assert (await say(http, {"msg_type": "msg", "target": "group", "msg": "hi"})).status_code == 202
        heard = await lou.hear()
        assert (heard["from_id"], heard["group_id"]) == ("server", "lobby")


async def test_a_backend_reaches_one_client_and_everyone(http: httpx.AsyncClient, ann: Client, legacy: Client) -> None:
    assert (await say(http, {"msg_type": "msg", "target": "direct", "to_id": "ann", "msg": "psst"})).status_code == 202
    assert (await ann.hear())["msg"] == "psst"
    assert (await say(http, {"msg_type": "msg", "target": "broadcast", "msg": "all"})).status_code == 202
    assert (await ann.hear())["msg"] == (await legacy.hear())["msg"] == "all"


async def test_a_token_or_an_account_picks_the_tenant(http: httpx.AsyncClient, ann: Client) -> None:
    for query in (f"jwt={token(account_id='acme')}", "x_account_id=acme"):
        assert (await say(http, SAID, "operator", query)).status_code == 202
        assert (await ann.hear())["cmd"] == "RELOAD"


async def test_another_tenant_hears_nothing_of_a_backend(http: httpx.AsyncClient, ann: Client) -> None:
    assert (await say(http, SAID, "operator", "x_account_id=beta")).status_code == 202
    assert (await say(http, SAID | {"cmd": "ours"})).status_code == 202
    assert (await ann.hear())["cmd"] == "ours"


ALIAS = {"group_id": "v2-7", "from_id": "v2-42"}


async def test_a_backend_may_speak_for_v2(http: httpx.AsyncClient, legacy: Client) -> None:
    assert (await say(http, SAID | ALIAS)).status_code == 202
    frame = await legacy.hear()
    assert (frame["client_id"], frame["group_id"]) == (42, 7)


REFUSED: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (400, "invalid_message", {"color": "red"}),
    (404, "not_connected", {"target": "direct", "to_id": "nobody"}),
    (413, "message_too_big", {"msg": "x" * 65_536}),
)


@pytest.mark.parametrize(("status", "code", "change"), REFUSED, ids=lambda value: str(value)[:60])
async def test_what_cannot_be_said_is_refused_with_the_payload_of_an_error(
    http: httpx.AsyncClient, status: int, code: str, change: dict[str, Any]
) -> None:
    answer = await say(http, SAID | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {"code", "retry", "detail", "refused"} <= set(answer.json())
    assert answer.json()["retry"] is (code == "not_connected")


NOT_ADMITTED: tuple[tuple[int, str, dict[str, str], str], ...] = (
    (401, "unauthenticated", {}, ""),
    (401, "unauthenticated", {"X-Api-Key": ""}, ""),
    (401, "unauthenticated", {"X-Api-Key": "unknown"}, ""),
    (401, "unauthenticated", {}, with_key("acme")),
    (401, "unauthenticated", {"X-Api-Key": api_key("acme")}, "jwt=x.y.z"),
    (401, "unauthenticated", {"X-Api-Key": api_key("acme")}, f"jwt={token(exp=1, account_id='acme')}"),
    (403, "forbidden", {"X-Api-Key": api_key("acme")}, "x_account_id=beta"),
    (403, "forbidden", {"X-Api-Key": api_key("operator")}, ""),
    (403, "stage_legacy", {"X-Api-Key": api_key("old")}, ""),
)


@pytest.mark.parametrize(("status", "code", "headers", "query"), NOT_ADMITTED)
@pytest.mark.parametrize(("method", "path"), [("POST", "/v3/messages"), ("GET", "/v3/presence/group/team")])
async def test_who_is_not_admitted_is_refused_on_every_route(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str, headers: dict[str, str], query: str
) -> None:
    answer = await http.request(method, f"{path}?{query}", headers=headers, json=SAID)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_key_in_two_headers_is_refused(http: httpx.AsyncClient) -> None:
    twice = [("X-Api-Key", api_key("acme"))] * 2
    assert (await http.post("/v3/messages", json=SAID, headers=twice)).status_code == 401


async def test_a_broadcast_without_the_grant_is_refused(http: httpx.AsyncClient) -> None:
    answer = await say(http, {"msg_type": "msg", "target": "broadcast"}, "muted")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert answer.json()["refused"] == {"msg_type": "msg", "target": "broadcast"}


async def test_who_says_too_much_is_told_to_wait(bridge: StartBridge) -> None:
    process = bridge(config="burst = 3\nmessages_per_second = 0.001\n" + key("acme", "acme"))
    async with httpx.AsyncClient(base_url=process.url) as http:
        answers = [await say(http, SAID) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_presence_names_the_members_of_a_group_of_either_language(
    http: httpx.AsyncClient, ann: Client, legacy: Client
) -> None:
    answer = await http.get("/v3/presence/group/team", headers={"X-Api-Key": api_key("acme")})
    assert answer.status_code == 200
    found = answer.json()
    assert found["group_id"] == "team"
    assert [(member["client_id"], member["protocol"]) for member in found["members"]] == [
        ("ann", "v3"),
        ("v2-42", "v2"),
    ]
    assert all(member["since"].endswith("Z") and len(member) == 3 for member in found["members"])
    asked = await ann.ask({"msg_type": "presence", "target": "echo"})
    assert asked["payload"]["members"] == found["members"]


async def test_presence_of_nobody_is_empty_and_of_another_tenant_unknown(http: httpx.AsyncClient, ann: Client) -> None:
    for name, query in (("acme", "group/nobody"), ("operator", "group/team?x_account_id=beta")):
        answer = await http.get(f"/v3/presence/{query}", headers={"X-Api-Key": api_key(name)})
        assert (answer.status_code, answer.json()["members"]) == (200, [])


async def test_health_and_readiness_are_answered(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).status_code == 200
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v3/schema"])
async def test_whoever_asks_for_the_head_alone_gets_it_without_a_body(http: httpx.AsyncClient, path: str) -> None:
    whole, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", whole.headers["content-type"])
    assert list((await http.get("/openapi.json")).json()["paths"][path]) == ["get"]


async def test_an_absolute_target_is_served_by_its_path(shared: BridgeProcess) -> None:
    async with raw_socket(shared) as raw:
        for target, status in (("http://other/healthz", 200), ("http://other", 404), ("http://other?x", 404)):
            await raw.send(request(target, {"Host": "other"}))
            assert (await raw.answer()).status == status


async def test_metrics_are_in_words_of_prometheus(http: httpx.AsyncClient, ann: Client, legacy: Client) -> None:
    await legacy.ask({"msg": "hi"})
    answer = await http.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert answer.headers["Content-Type"].startswith("text/plain")
    expected = {
        "bridge_connections",
        "bridge_connections_accepted",
        "bridge_messages",
        "bridge_conversions",
        "bridge_deliveries",
        "bridge_refusals",
        "bridge_bus_up",
        "bridge_bus_rejected",
        "bridge_gaps",
    }
    assert expected <= set(families)
    samples = families["bridge_connections"].samples
    open_now = {(sample.labels["tenant"], sample.labels["protocol"]): sample.value for sample in samples}
    assert open_now["acme", "v3"] == open_now["acme", "v2"] == 1
    assert all(family.documentation for family in families.values())


async def test_the_schema_of_a_message_is_served(http: httpx.AsyncClient) -> None:
    schema = (await http.get("/v3/schema")).json()
    assert schema["title"] == "WS_Message_V3"
    assert set(schema["required"]) == {"msg_type", "target"}
    assert schema["additionalProperties"] is False


async def test_the_documentation_is_there_for_a_developer(open_bridge: BridgeProcess) -> None:
    async with httpx.AsyncClient(base_url=open_bridge.url) as http:
        assert (await http.get("/docs")).status_code == 200
        assert "/v3/messages" in (await http.get("/openapi.json")).json()["paths"]


async def test_a_foreign_page_may_not_post_to_a_developers_bridge(open_bridge: BridgeProcess) -> None:
    async with httpx.AsyncClient(base_url=open_bridge.url) as http:
        answer = await http.post("/v3/messages", json=SAID, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
