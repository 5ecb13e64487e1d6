"""Who a client of V2 is, and why it is refused. That a browser can read the refusal is in `tests/end_to_end/`."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from starlette.datastructures import Headers

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.history import HistoryOptions
from bridge.broker.presence import Place
from bridge.config.settings import Settings
from bridge.continuity.departures import Departures
from bridge.continuity.handed_on import HandedOn
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.preflight import OriginCheck, Preflight
from bridge.handshake.request import HandshakeRequest
from bridge.handshake.v2 import Credentials, V2Handshake
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.tenants.stored_state import write_state
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import DEFAULT_TENANT, GENERATED_ID_PREFIX, Stage, Tenant, TenantState
from compat.identity import Names
from legacy_v2.frames import DEFAULT_GROUP, MAX_ID_CHARACTERS
from legacy_v2.ports import Guest, Refused
from tests.bridge.handshake.credentials import KEYS, SECRET
from tests.bridge.handshake.refusing import record_of
from tests.bridge.population import table_of

ACME = Tenant("acme", names=Names({"42": "Xk3dQ"}), hosts=("acme.example.com",))
RETIRED = Tenant("acme", stage="v3", deprecated=date(2026, 1, 1))


class World:
    """A handshake with some tenants, and what it counts and tells."""

    def __init__(self, *tenants: Tenant, table: TenantTable | None = None, **settings: Any) -> None:
        self.counts = Counts()
        configured, table = Settings(**settings), table or table_of(*tenants)
        authentication = Authentication(configured, table.get)
        record, self.told = record_of(self.counts, authentication, table)
        credentials = Credentials(configured, authentication, table, OriginCheck(configured))
        self.credentials = credentials
        self.handshake = V2Handshake(
            cast(Preflight, None),
            credentials,
            table,
            cast(Connector, None),
            self.counts,
            record,
            Departures(cast(Bus, None), Addresses("aether"), cast(HandedOn, None), HistoryOptions()),
        )

    async def identify(self, group: str | None, client: str | None, host: str = "", **query: str) -> Any:
        return await self.handshake.identify(asked(host, **query), group, client, "v2")

    async def refused(self, group: str | None, client: str | None, host: str = "", **query: str) -> Refused:
        with pytest.raises(Refused) as refused:
            await self.identify(group, client, host, **query)
        return refused.value


def asked(host: str = "", origin: str = "", **query: str) -> HandshakeRequest:
    headers = {"user-agent": "test", "host": host} | ({"origin": origin} if origin else {})
    return HandshakeRequest(list(query.items()), Headers(headers), "192.0.2.1")


async def test_a_client_has_the_ids_of_its_path_and_the_names_by_which_v3_knows_them() -> None:
    client = await World(ACME, keys=KEYS).identify("the team", "42", api_key="one")
    guest = client.guest
    assert (guest.group_id, guest.client_id, guest.client_name, guest.grant) == ("the team", "42", "Xk3dQ", "tenant")
    assert client.info.place == Place("acme", guest.group_name, "Xk3dQ", "v2")
    assert client.info.path_ids == ("the team", "42")
    assert client.info.visitor == Visitor("v2", "v2", "42", "the team")
    assert not guest.is_generated


async def test_who_gives_no_ids_is_in_the_default_group_with_an_id_of_its_own_and_known_by_its_program() -> None:
    world = World(ACME, keys=KEYS)
    guests: list[Guest] = []
    for _ in range(2):
        client = await world.identify(None, None, api_key="one")
        guests.append(client.guest)
        assert client.info.visitor == Visitor("v2", "v2", None, DEFAULT_GROUP, "test")
    assert all(one.client_id.startswith(GENERATED_ID_PREFIX) and one.is_generated for one in guests)
    assert guests[0].client_id != guests[1].client_id


@pytest.mark.parametrize("ids", [("x" * (MAX_ID_CHARACTERS + 1), "42"), ("team", "x" * (MAX_ID_CHARACTERS + 1))])
async def test_an_id_that_is_too_long_is_refused(ids: tuple[str, str]) -> None:
    world = World(ACME, keys=KEYS)
    assert (await world.refused(*ids, api_key="one")).code == "invalid_id"
    assert world.counts.refusals == {("acme", "v2", "invalid_id"): 1}


async def test_a_tenant_that_has_left_v2_sends_its_clients_to_v3_and_tells_who_came() -> None:
    world = World(RETIRED, keys=KEYS)
    refused = await world.refused("team", "42", api_key="one")
    assert (refused.code, refused.told) == ("v2_retired", {"successor": "/v3/ws/group/team/client/v2-42"})
    assert "Deprecation" in refused.headers
    (told,) = world.told
    assert (told.tenant, told.visitor, told.facts.code) == ("acme", Visitor("v2", "v2", "42", "team"), "v2_retired")
    assert world.counts.turned_away == {"acme": 1}
    assert world.counts.refusals == {("acme", "v2", "v2_retired"): 1}


async def test_who_was_sent_away_by_a_step_that_this_process_has_not_seen_yet_is_sent_away_here_too(
    redis: Redis, addresses: Addresses
) -> None:
    """Else it would hear on from now, and never hear what was said since."""
    world = World(table=TenantTable(redis, addresses, {"acme": ACME}), keys=KEYS)
    await write_state(redis, addresses, "acme", TenantState(version=1, stage="drain", share=100))
    assert (await world.refused("team", "42", api_key="one")).code == "moved_to_v3"


@pytest.mark.parametrize("stage", ["legacy", "bridge"])
async def test_who_was_sent_back_by_a_rollback_that_this_process_has_not_seen_yet_is_let_in(
    redis: Redis, addresses: Addresses, stage: Stage
) -> None:
    world = World(table=TenantTable(redis, addresses, {"acme": RETIRED}), keys=KEYS)
    await write_state(redis, addresses, "acme", TenantState(version=1, stage=stage))
    assert (await world.identify("team", "42", api_key="one")).guest.tenant == "acme"


async def test_who_brings_no_credentials_belongs_to_the_host_that_it_asks_for_or_to_nobody() -> None:
    world = World(ACME, keys=KEYS)
    assert (await world.identify(None, "42", "ACME.example.com:8000")).guest.tenant == "acme"
    assert (await world.refused(None, "42", "other.example.com")).code == "unauthenticated"
    assert world.counts.refusals == {("", "v2", "unauthenticated"): 1}


async def test_elsewhere_it_belongs_where_the_configuration_puts_it() -> None:
    world = World(ACME, keys=KEYS, v2_anonymous_tenant="acme", tenants={"acme": {}})
    assert (await world.identify(None, "42")).guest.tenant == "acme"
    assert (await World(Tenant(DEFAULT_TENANT)).identify(None, "42")).guest.tenant == DEFAULT_TENANT


@pytest.mark.parametrize(
    ("origin", "is_foreign"), [("", False), ("https://acme.example.com", False), ("https://evil.example", True)]
)
async def test_a_foreign_page_may_not_connect_its_visitors_without_credentials(origin: str, is_foreign: bool) -> None:  # noqa: FBT001
    credentials = World(ACME, keys=KEYS).credentials
    assert credentials.is_foreign_page(asked("acme.example.com", origin)) == is_foreign
    assert not credentials.is_foreign_page(asked("acme.example.com", origin, api_key="one"))


async def test_where_a_token_could_claim_an_id_nobody_takes_one_without_and_each_is_given_one() -> None:
    world = World(ACME, keys=KEYS, jwt={"secret": SECRET, "client_claim": "sub"})
    assert (await world.refused(None, "42", "acme.example.com")).code == "forbidden"
    assert (await world.identify(None, None, "acme.example.com")).guest.is_generated
