"""Whose connection ends with its key or its tenant, and whose goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.config.settings import Settings
from bridge.handshake.authentication import Authentication
from bridge.handshake.expulsions import LOOKED_AT_PER_TURN, Expulsions
from bridge.messaging.connections import NO_TICKET, Ticket
from bridge.tenants.tenant import Tenant
from tests.bridge.broker.parts import until
from tests.bridge.handshake.credentials import KEYS, key
from tests.bridge.messaging.test_connections import Opened, World, facts_of

ONE, TWO, ALL = (Ticket(KEYS[number].sha256, KEYS[number].broadcast) for number in range(3))


class Door:
    """Connections and the keys that they came with."""

    def __init__(self, **settings: Any) -> None:
        self.world = World()
        self.tenants = {"acme", "beta"}
        self.authentication = Authentication(
            Settings(**{"keys": KEYS, **settings}), lambda name: Tenant(name) if name in self.tenants else None
        )
        self.expulsions = Expulsions(self.world.connections, self.authentication)

    def open(self, ticket: Ticket, tenant: str = "acme") -> Opened:
        facts = facts_of(Place(tenant, "team", "ann", "v3"), ("team", "ann"))
        opened = Opened(self.world, replace(facts, ticket=ticket))
        opened.connection.begin()
        return opened


@pytest.fixture
async def door(anyio_backend: Any) -> Door:
    return Door()


async def test_a_connection_ends_with_its_key_alone(door: Door) -> None:
    one, two = door.open(ONE), door.open(TWO)
    door.authentication.keys.take_of_file(KEYS[1:])
    door.expulsions.look_at_all()
    assert (one.codes, two.codes, door.expulsions.expelled) == (["unauthenticated"], [], 1)


async def test_a_key_that_opens_the_tenant_no_more_keeps_nobody_there(door: Door) -> None:
    in_acme, in_beta = door.open(TWO), door.open(TWO, "beta")
    door.authentication.keys.take_of_file([key("two", "beta", broadcast="none")])
    door.expulsions.look_at_all()
    assert (in_acme.codes, in_beta.codes) == (["forbidden"], [])


async def test_a_connection_ends_with_its_tenant(door: Door) -> None:
    here, there = door.open(ALL), door.open(ALL, "beta")
    door.tenants.discard("beta")
    door.expulsions.look_at_all()
    assert (here.codes, there.codes) == ([], ["forbidden"])


async def test_a_client_whose_grant_has_changed_is_to_come_back(door: Door) -> None:
    one = door.open(ONE)
    door.authentication.keys.take_of_file([key("one", "acme", broadcast="platform")])
    door.expulsions.look_at_all()
    assert one.codes == ["going_away"]


async def test_a_key_that_is_gone_during_the_handshake_is_noticed_at_its_end(door: Door) -> None:
    assert door.open(Ticket("f" * 64, "tenant")).codes == ["unauthenticated"]


async def test_who_needs_no_key_stays_and_who_came_in_while_the_bridge_was_open_does_not() -> None:
    door = Door(keys=())
    placed, other = door.open(Ticket(needs_no_key=True)), door.open(NO_TICKET)
    door.expulsions.look_at_all()
    assert (placed.codes, other.codes) == ([], [])
    door.authentication.keys.take_of_redis([])
    door.expulsions.look_at_all()
    assert (placed.codes, other.codes) == ([], ["unauthenticated"])


async def test_many_end_in_turns(door: Door) -> None:
    crowd = [door.open(ONE) for _ in range(2 * LOOKED_AT_PER_TURN + 1)]
    door.authentication.keys.take_of_file([])
    door.expulsions.look_at_all()
    assert sum(bool(one.codes) for one in crowd) == LOOKED_AT_PER_TURN
    await until(lambda: all(one.codes == ["unauthenticated"] for one in crowd))


async def test_who_has_left_meanwhile_is_told_nothing(door: Door) -> None:
    one = door.open(ONE)
    one.connection.lost()
    door.authentication.keys.take_of_file([])
    door.expulsions.look_at(one.connection)
    assert one.codes == []
