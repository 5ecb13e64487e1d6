"""Who a client of V3 is, and why it is refused. That a browser can read the refusal is in `tests/end_to_end/`."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.asyncio import Redis
from starlette.datastructures import Headers

from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place
from bridge.config.settings import Settings
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.preflight import Preflight
from bridge.handshake.request import HandshakeRequest
from bridge.handshake.v3 import V3Handshake
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.tenants.stored_state import write_state
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import DEFAULT_TENANT, Tenant, TenantState
from compat.identity import Names
from tests.bridge.handshake.credentials import A_DAY, KEYS, SECRET, claims, token
from tests.bridge.handshake.refusing import record_of
from tests.bridge.population import table_of
from v3.ports import Guest, Refused

ACME = Tenant("acme", names=Names({"42": "Xk3dQ"}))
LEGACY = Tenant("acme", stage="legacy")
CONNECTOR = cast(Connector, object())


class World:
    """A handshake with some tenants, and what it counts."""

    def __init__(self, *tenants: Tenant, table: TenantTable | None = None, **settings: Any) -> None:
        self.counts = Counts()
        table = table or table_of(*tenants)
        authentication = Authentication(Settings(**settings), table.get)
        record, self.told = record_of(self.counts, authentication, table)
        self.handshake = V3Handshake(cast(Preflight, None), authentication, table, CONNECTOR, record)

    async def identify(self, group_id: str, client_id: str, **query: str) -> Any:
        request = HandshakeRequest(list(query.items()), Headers({"user-agent": "test"}), "192.0.2.1")
        return await self.handshake.identify(request, group_id, client_id, "v3")

    async def refused(self, group_id: str, client_id: str, **query: str) -> Refused:
        with pytest.raises(Refused) as refused:
            await self.identify(group_id, client_id, **query)
        return refused.value


async def test_a_client_is_known_by_its_tenants_names_and_its_ids_are_kept_as_they_came() -> None:
    client = await World(ACME, keys=KEYS).identify("team", "v2-42", api_key="one")
    assert client.guest == Guest("acme", "team", "Xk3dQ", "tenant", "v3")
    assert client.info.place == Place("acme", "team", "Xk3dQ", "v3")
    assert client.info.path_ids == ("team", "v2-42")
    assert client.info.visitor == Visitor("v3", "v3", "Xk3dQ", "team")
    assert (client.info.address, client.info.user_agent) == ("192.0.2.1", "test")
    assert client.info.owner == ("acme", "the key one", "192.0.2.1")
    assert client.connector is CONNECTOR


@pytest.mark.parametrize(("group", "client"), [("team", ""), ("", "ann"), ("team", "a b"), ("team", "42")])
async def test_what_is_no_name_is_an_invalid_id(group: str, client: str) -> None:
    world = World(ACME, keys=KEYS)
    refused = await world.refused(group, client, api_key="one")
    assert (refused.code, refused.group_id) == ("invalid_id", group)
    assert world.counts.refusals == {("acme", "v3", "invalid_id"): 1}


async def test_bad_credentials_are_no_tenants_refusals_and_a_group_that_is_no_name_is_not_repeated() -> None:
    world = World(ACME, keys=KEYS)
    refused = await world.refused("a b", "ann", api_key="wrong")
    assert (refused.code, refused.group_id) == ("unauthenticated", "")
    assert world.counts.refusals == {("", "v3", "unauthenticated"): 1}
    (told,) = world.told
    assert (told.tenant, told.visitor) == ("acme", Visitor("v3", "v3", "ann", "a b"))
    assert (told.facts.code, told.facts.user_agent, told.facts.address) == ("unauthenticated", "test", "192.0.2.0/24")


async def test_a_tenant_that_has_no_v3_yet_turns_away() -> None:
    world = World(LEGACY)
    refused = await world.refused("team", "ann", x_account_id="acme")
    assert refused.code == LEGACY.refuses_v3()
    assert world.counts.turned_away == {"acme": 1}


async def test_who_comes_by_a_step_that_this_process_has_not_seen_yet_is_let_in(
    redis: Redis, addresses: Addresses
) -> None:
    """Another process, which has seen it, sends V2 clients here at once."""
    world = World(table=TenantTable(redis, addresses, {"acme": LEGACY}))
    await write_state(redis, addresses, "acme", TenantState(version=1, stage="drain", share=100))
    assert (await world.identify("team", "ann", x_account_id="acme")).guest.tenant == "acme"
    assert world.counts.turned_away == {}


async def test_where_a_claim_names_the_client_the_path_must() -> None:
    tokens = {"secret": SECRET, "client_claim": "sub"}
    signed = token(claims(sub="ann", exp=claims()["exp"] + A_DAY))
    world = World(ACME, keys=KEYS, jwt=tokens)
    assert (await world.identify("team", "ann", api_key="one", jwt=signed)).guest.client_id == "ann"
    assert (await world.refused("team", "ben", api_key="one", jwt=signed)).code == "forbidden"


async def test_without_keys_everyone_is_let_in() -> None:
    assert (await World(Tenant(DEFAULT_TENANT)).identify("team", "ann")).guest.tenant == DEFAULT_TENANT
