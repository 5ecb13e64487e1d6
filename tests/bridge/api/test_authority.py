"""Who may use the HTTP surface. Which credentials are good is in `tests/bridge/handshake/test_authentication.py`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from fastapi import Request
from redis.asyncio import Redis

from bridge.api.authority import OF_AUTHORITY, Authority, HttpRefusal, RefusalBody, documented
from bridge.api.errors import ErrorBody
from bridge.broker.addresses import Addresses
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.handshake.authentication import Authentication, Identity
from bridge.handshake.preflight import OriginCheck
from bridge.sockets.metered import Charge
from bridge.sockets.ports import CHARGE, VOUCH
from bridge.tenants.stored_state import write_state
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant, TenantState
from tests.bridge.population import table_of
from v3.refusals import REFUSALS

SECRET = "a key"
OLD_SECRET = "an old key"
KEYS = tuple(
    Key(name=f"{tenant} web", sha256=hashlib.sha256(secret.encode()).hexdigest(), tenants=(tenant,))
    for secret, tenant in ((SECRET, "acme"), (OLD_SECRET, "old"))
)
PAGE = "https://app.example.com"
WITH_KEY = {"X-Api-Key": SECRET}


class Desk:
    """An authority with two keys, and what the server is told of a request by it."""

    def __init__(self, table: TenantTable | None = None, **settings: Any) -> None:
        configured = Settings(**{"keys": KEYS, "allowed_origins": (PAGE,)} | settings)
        known = {"acme": Tenant("acme", share=7), "old": Tenant("old", stage="legacy")}
        self.budget = Budget(configured.limits)
        self.authority = Authority(
            Authentication(configured, known.get),
            table or table_of(known["acme"], known["old"]),
            OriginCheck(configured),
            self.budget,
        )
        self.vouched = 0

    def vouch(self) -> None:
        self.vouched += 1

    async def ask(self, headers: dict[str, str] | list[tuple[str, str]], query: str = "") -> tuple[Identity, Tenant]:
        pairs = headers.items() if isinstance(headers, dict) else headers
        scope = {
            "type": "http",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
            "extensions": {VOUCH: self.vouch},
            CHARGE: Charge(self.budget, self.budget.stranger("192.0.2.1")),
        }
        answer = await self.authority(Request(scope))
        scope[CHARGE].spent(0.5)  # type: ignore[attr-defined]
        return answer

    async def refused(self, headers: dict[str, str] | list[tuple[str, str]], query: str = "") -> str:
        with pytest.raises(HttpRefusal) as refusal:
            await self.ask(headers, query)
        assert self.vouched == 0
        return str(refusal.value.body["code"])


async def test_whoever_shows_a_key_in_the_header_is_known_with_its_tenant_and_vouched_for() -> None:
    desk = Desk()
    identity, tenant = await desk.ask(WITH_KEY)
    assert (identity.key_name, tenant) == ("acme web", Tenant("acme", share=7))
    assert desk.vouched == 1


async def test_a_key_in_the_query_is_none() -> None:
    assert await Desk().refused({}, f"api_key={SECRET}") == "unauthenticated"
    assert (await Desk().ask(WITH_KEY, "api_key=another"))[0].key_name == "acme web"


async def test_a_key_in_two_headers_is_refused() -> None:
    assert await Desk().refused([("X-Api-Key", SECRET)] * 2) == "unauthenticated"


async def test_what_else_is_a_credential_comes_in_the_query() -> None:
    assert (await Desk().ask(WITH_KEY, "x_account_id=acme"))[1].name == "acme"
    assert await Desk().refused(WITH_KEY, "x_account_id=old") == "forbidden"


async def test_a_foreign_page_is_refused_whatever_it_shows() -> None:
    assert await Desk().refused(WITH_KEY | {"Origin": "https://evil.example"}) == "forbidden"
    assert await Desk().refused({"Origin": "https://evil.example"}) == "forbidden"
    assert (await Desk().ask(WITH_KEY | {"Origin": PAGE}))[1].name == "acme"


async def test_whoever_is_not_on_v3_yet_is_refused() -> None:
    assert await Desk().refused({"X-Api-Key": OLD_SECRET}) == "stage_legacy"


async def test_a_tenant_that_was_forgotten_meanwhile_is_one_as_it_starts() -> None:
    desk = Desk()
    desk.authority._table = table_of()
    assert (await desk.ask(WITH_KEY))[1] == Tenant("acme")


async def test_the_key_pays_for_the_request_and_is_told_to_wait_once_it_cannot() -> None:
    desk = Desk(budget={"key": {"milliseconds": 10}})
    await desk.ask(WITH_KEY)
    with pytest.raises(HttpRefusal) as refusal:
        await desk.ask(WITH_KEY)
    assert (refusal.value.status, refusal.value.body["code"]) == (429, "rate_limited")


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_the_payload_of_its_error_and_its_sentence(code: str) -> None:
    problem = {"field": "to_id", "problem": "is no Vision ID"}
    response = HttpRefusal(code, [problem], {"msg_type": "msg"}).response()
    body = json.loads(bytes(response.body))
    refusal = REFUSALS[code]
    assert response.status_code == refusal.http_status
    assert body == {
        "code": code,
        "retry": refusal.retry,
        "detail": [problem],
        "refused": {"msg_type": "msg"},
        "msg": refusal.sentence,
    }
    assert RefusalBody.model_validate(body, strict=True).model_dump() == body


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_says_when_to_come_again_where_that_helps(code: str) -> None:
    response = HttpRefusal(code).response()
    assert response.headers.get("retry-after") == ("1" if response.status_code in (429, 503) else None)


def test_codes_of_one_status_are_documented_together() -> None:
    responses = documented("bus_down", "forbidden", "stage_legacy", "overloaded")
    assert [(status, one["description"]) for status, one in responses.items()] == [
        (403, "`forbidden`, `stage_legacy`"),
        (503, "`bus_down`, `overloaded`"),
        (422, "`invalid_request`"),
    ]
    assert [one["model"] for one in responses.values()] == [RefusalBody, RefusalBody, ErrorBody]


def test_every_code_of_the_authority_is_one_of_the_closed_list() -> None:
    assert set(OF_AUTHORITY) <= set(REFUSALS)


async def test_a_tenant_that_came_to_v3_by_a_step_that_this_process_has_not_seen_yet_is_served(
    redis: Redis, addresses: Addresses
) -> None:
    desk = Desk(TenantTable(redis, addresses, {"old": Tenant("old", stage="legacy")}))
    assert await desk.refused({"X-Api-Key": OLD_SECRET}) == "stage_legacy"
    await write_state(redis, addresses, "old", TenantState(version=1, stage="bridge"))
    _, tenant = await desk.ask({"X-Api-Key": OLD_SECRET})
    assert tenant == Tenant("old", stage="bridge", version=1)
