"""What a backend may say without a connection. That it is heard is in `tests/end_to_end/test_http.py`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest

from bridge.api import messages
from bridge.api.authority import HttpRefusal
from bridge.api.messages import Meters, router
from bridge.budget.rate import Rate
from bridge.budget.shared_rate import NO_LIMIT, SharedRate
from bridge.config.settings import Settings
from bridge.handshake.authentication import Identity
from bridge.messaging.publisher import Publisher
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.api.serving import Known, asking
from tests.bridge.sockets.test_request_body import request
from v3.messages import timestamp
from v3.ports import Guest

NOW = 1_767_225_600_000_000
SAID = {"msg_type": "cmd", "target": "group", "group_id": "team", "from_id": "billing", "cmd": "RELOAD"}
PLAIN = {"msg_type": "msg", "target": "group", "msg": "hi"}
MAPPED = Tenant("acme", names=Names({"7": "team", "42": "ann"}))

SMALL = Settings(max_message_bytes=1_024)


class Said:
    """A publisher, whose voice notes what is said, and how each message ends; and the clock."""

    def __init__(self) -> None:
        self.said: list[tuple[Guest, Any, str]] = []
        self.ends_with: str | None = None

    def voice(self, guest: Guest) -> Spoken:
        return Spoken(self, guest)

    def microseconds(self) -> int:
        return NOW


@dataclass
class Spoken:
    """The voice of one guest."""

    publisher: Said
    guest: Guest

    def say(self, content: Any, sent_at: str, answered: Callable[[int | None], None]) -> None:
        self.publisher.said.append((self.guest, content, sent_at))
        answered({None: 1, "not_connected": 0, "bus_down": None}[self.publisher.ends_with])


@pytest.fixture
def publisher() -> Said:
    return Said()


@pytest.fixture
def authority() -> Known:
    return Known(MAPPED)


@pytest.fixture
async def http(publisher: Said, authority: Known) -> AsyncIterator[httpx.AsyncClient]:
    routes = router(authority, cast(Publisher, publisher), lambda: SMALL, SharedRate(), publisher)
    async with asking(routes) as client:
        yield client


async def say(http: httpx.AsyncClient, body: Mapping[str, object] | bytes) -> httpx.Response:
    return await http.post("/v3/messages", content=body if isinstance(body, bytes) else json.dumps(body))


async def test_a_message_is_said_as_whoever_it_names_and_stamped(http: httpx.AsyncClient, publisher: Said) -> None:
    answer = await say(http, SAID)
    assert (answer.status_code, answer.json()) == (202, {"ok": True, "sent_at": timestamp(NOW)})
    content = {"msg_type": "cmd", "target": "group", "cmd": "RELOAD"}
    assert publisher.said == [(Guest("acme", "team", "billing", "tenant"), content, timestamp(NOW))]


@pytest.mark.parametrize("unnamed", [{}, {"from_id": None, "group_id": None}, {"from_id": "server"}])
async def test_whoever_names_nobody_is_the_server_in_the_lobby(
    http: httpx.AsyncClient, publisher: Said, unnamed: dict[str, str | None]
) -> None:
    assert (await say(http, {**PLAIN, **unnamed})).status_code == 202
    assert publisher.said[0][0] == Guest("acme", "lobby", "server", "tenant")


async def test_ids_of_v2_are_said_by_their_names_of_v3(http: httpx.AsyncClient, publisher: Said) -> None:
    by_v2 = {"target": "direct", "group_id": "v2-7", "from_id": "v2-8", "to_id": "v2-42"}
    assert (await say(http, PLAIN | by_v2)).status_code == 202
    guest, content, _ = publisher.said[0]
    assert (guest.group_id, guest.client_id, content["to_id"]) == ("team", "v2-8", "ann")


async def test_the_lobby_may_have_another_name(http: httpx.AsyncClient, authority: Known, publisher: Said) -> None:
    authority.tenant = Tenant("acme", names=Names({"lobby": "entrance"}))
    await say(http, PLAIN)
    assert publisher.said[0][0].group_id == "entrance"


NO_MESSAGES: tuple[tuple[str, bytes], ...] = (
    ("invalid_json", b""),
    ("invalid_json", b"hello"),
    ("invalid_json", b"\xff\xfe"),
    ("invalid_json", b'{"msg_type":"msg","target":"group","payload":{"x":NaN}}'),
    ("invalid_message", b"[]"),
    ("invalid_message", b"{}"),
)


@pytest.mark.parametrize(("code", "body"), NO_MESSAGES)
async def test_a_body_that_is_no_message_is_refused(http: httpx.AsyncClient, code: str, body: bytes) -> None:
    answer = await say(http, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("color", {"color": "red"}),
        ("group_id", {"group_id": "42"}),
        ("group_id", {"group_id": 42}),
        ("group_id", {"group_id": ""}),
        ("from_id", {"from_id": "a b"}),
        ("from_id", {"from_id": {}}),
        ("to_id", {"target": "direct"}),
        ("to_id", {"target": "direct", "to_id": "42"}),
        ("to_id", {"to_id": "ann"}),
        ("target", {"target": "echo"}),
        ("target", {"target": "echo", "msg_type": "heartbeat"}),
        ("msg_type", {"msg_type": "heartbeat"}),
    ],
    ids=str,
)
async def test_a_message_that_cannot_be_said_is_refused_and_its_field_named(
    http: httpx.AsyncClient, publisher: Said, field: str, change: dict[str, object]
) -> None:
    answer = await say(http, SAID | change)
    body = answer.json()
    assert (answer.status_code, body["code"], body["retry"]) == (400, "invalid_message", False)
    assert [problem["field"] for problem in body["detail"]] == [field]
    assert publisher.said == []


async def test_what_belongs_to_a_connection_is_refused_with_what_was_said(http: httpx.AsyncClient) -> None:
    body = (await say(http, SAID | {"msg_type": "heartbeat", "msg": "hi"})).json()
    assert body["detail"] == [{"field": "msg_type", "problem": "belongs to a connection"}]
    assert body["refused"] == {"msg_type": "heartbeat", "target": "group", "cmd": "RELOAD"}


@pytest.mark.parametrize("event", ["JOIN", "LEAVE"])
async def test_only_the_server_says_who_comes_and_goes(http: httpx.AsyncClient, event: str) -> None:
    answer = await say(http, {"msg_type": "presence", "target": "group", "cmd": event})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_message")


async def test_a_broadcast_needs_a_grant(http: httpx.AsyncClient, authority: Known, publisher: Said) -> None:
    broadcast = PLAIN | {"target": "broadcast"}
    assert (await say(http, broadcast)).status_code == 202
    authority.identity = Identity("acme", "none", key_name="web")
    answer = await say(http, broadcast)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert answer.json()["refused"] == {"msg_type": "msg", "target": "broadcast"}
    assert len(publisher.said) == 1


@pytest.mark.parametrize(
    ("subject", "admin", "from_id", "status"),
    [
        ("ann", False, "ann", 202),
        ("42", False, "v2-42", 202),
        ("42", False, "v2-43", 403),
        ("ann", False, "v2-42", 202),
        ("v2-42", False, "v2-42", 202),
        ("ann", False, "ben", 403),
        ("ann", False, None, 403),
        (None, False, "ann", 403),
        ("ann", True, "ben", 202),
        (None, True, None, 202),
    ],
)
async def test_where_a_client_claim_is_configured_only_an_admin_speaks_as_somebody_else(
    http: httpx.AsyncClient,
    authority: Known,
    subject: str | None,
    admin: bool,  # noqa: FBT001 - a row of the table
    from_id: str | None,
    status: int,
) -> None:
    authority.identity = Identity("acme", admin=admin, key_name="web", subject=subject, must_be_subject=True)
    assert (await say(http, PLAIN | {"from_id": from_id})).status_code == status


@pytest.mark.parametrize(("code", "status"), [("not_connected", 404), ("bus_down", 503)])
async def test_what_the_bus_did_not_take_is_refused_with_what_was_said(
    http: httpx.AsyncClient, publisher: Said, code: str, status: int
) -> None:
    publisher.ends_with = code
    answer = await say(http, PLAIN | {"target": "direct", "to_id": "v2-42"})
    assert (answer.status_code, answer.json()["code"], answer.json()["retry"]) == (status, code, True)
    assert answer.json()["refused"] == {"msg_type": "msg", "target": "direct", "to_id": "ann"}


async def test_a_message_has_a_bound(http: httpx.AsyncClient, publisher: Said) -> None:
    whole = json.dumps(PLAIN)
    assert (await say(http, whole.ljust(1_024).encode())).status_code == 202
    answer = await say(http, whole.ljust(1_025).encode())
    assert (answer.status_code, answer.json()["code"]) == (413, "message_too_big")
    assert len(publisher.said) == 1


async def test_a_body_that_is_cut_off_is_no_message() -> None:
    with pytest.raises(HttpRefusal) as refused:
        await messages._body(request(b'{"msg', is_whole=False), 1_024)
    assert refused.value.body["code"] == "invalid_json"


async def test_of_whoever_says_too_much_no_more_is_read_and_others_go_on(publisher: Said, authority: Known) -> None:
    settings = Settings(burst=2, messages_per_second=0.001)
    routes = router(authority, cast(Publisher, publisher), lambda: settings, SharedRate(), publisher)
    async with asking(routes) as http:
        answers = [await say(http, body) for body in (SAID, b"hello", b"hello")]
        assert [answer.status_code for answer in answers] == [202, 400, 429]
        assert (answers[-1].json()["code"], answers[-1].headers["retry-after"]) == ("rate_limited", "1")
        authority.identity = Identity("acme", "tenant", key_name="another")
        assert (await say(http, SAID)).status_code == 202


async def test_what_a_tenant_says_too_fast_is_refused_whichever_key_says_it(publisher: Said, authority: Known) -> None:
    rates = SharedRate()
    rates.allow(NO_LIMIT, lambda _tenant: Rate(0.001, 1))
    async with asking(router(authority, cast(Publisher, publisher), lambda: SMALL, rates, publisher)) as http:
        assert (await say(http, SAID)).status_code == 202
        authority.identity = Identity("acme", "tenant", key_name="another")
        answer = await say(http, SAID)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
        authority.identity = Identity("other", "tenant", key_name="another")
        assert (await say(http, SAID)).status_code == 202
    assert rates.refused == {("acme", "tenant"): 1}


async def test_of_too_many_rates_the_one_that_was_used_longest_ago_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_METERS", 2)
    settings = Settings(burst=1, messages_per_second=0.001)
    meters = Meters(lambda: settings, SharedRate())

    def spend(name: str) -> bool:
        return meters.spend(Identity("acme", key_name=name))

    assert [spend(name) for name in ("a", "b", "a", "c")] == [True, True, False, True]
    assert [spend(name) for name in ("a", "c", "b")] == [False, False, True]


async def test_the_document_shows_a_message_that_can_be_said(http: httpx.AsyncClient, publisher: Said) -> None:
    operation = (await http.get("/openapi.json")).json()["paths"]["/v3/messages"]["post"]
    example, *_ = operation["requestBody"]["content"]["application/json"]["schema"]["examples"]
    assert (await say(http, example)).status_code == 202
    assert set(operation["responses"]) == {"202", "400", "401", "403", "404", "413", "422", "429", "503"}
