"""What a change of a tenant means for connections: who has to go, under which code, and who may stay."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.cutover.evictions import Moves
from bridge.tenants.tenant import Tenant, bucket
from compat.identity import Names
from tests.bridge.broker.parts import running, until
from tests.bridge.messaging.test_connections import Opened, World, facts_of

SUCCESSOR = {"successor": "/v3/ws/group/team/client/v2-42"}
IN_BUCKET = bucket("42")


class Street:
    """Connections of one tenant, and the moves that follow from its changes."""

    def __init__(self) -> None:
        self.world = World(moves_per_second=1_000)
        self.tenant = Tenant("acme")
        self.moves = Moves(self.world.connections, lambda name: self.tenant if name == "acme" else None)
        self.world.connections.when_begun(self.moves.look_at)

    def open(self, protocol: Any, client: str, path_ids: tuple[str | None, str | None], tenant: str = "acme") -> Opened:
        group = "lobby" if path_ids[0] is None else "team"
        opened = Opened(self.world, facts_of(Place(tenant, group, client, protocol), path_ids))
        opened.connection.begin()
        return opened

    async def change(self, tenant: Tenant) -> None:
        """The tenant is so from now on, and whoever has to go has been told."""
        before, self.tenant = self.tenant, tenant
        self.moves.apply(before, tenant)
        async with running(self.world.connections):
            await until(lambda: not self.world.connections._moves)


@pytest.fixture
async def street(anyio_backend: Any) -> Street:
    return Street()


def v2(street: Street) -> Opened:
    return street.open("v2", "v2-42", ("team", "42"))


def v3(street: Street) -> Opened:
    return street.open("v3", "ann", ("team", "ann"))


@pytest.mark.parametrize(
    ("tenant", "of_v2", "of_v3"),
    [
        (Tenant("acme", stage="legacy"), [], [("stage_legacy", {})]),
        (Tenant("acme", stage="bridge", share=100), [], []),
        (Tenant("acme", stage="drain", share=IN_BUCKET), [], []),
        (Tenant("acme", stage="drain", share=IN_BUCKET + 1), [("moved_to_v3", SUCCESSOR)], []),
        (Tenant("acme", stage="v3"), [("v2_retired", SUCCESSOR)], []),
    ],
    ids=["legacy", "bridge", "drain, not yet", "drain", "v3"],
)
async def test_a_stage_sends_away_whoever_it_refuses(street: Street, tenant: Tenant, of_v2: Any, of_v3: Any) -> None:
    old, new = v2(street), v3(street)
    await street.change(tenant)
    assert (old.session.refusals, new.session.refusals) == (of_v2, of_v3)


async def test_another_tenants_connections_stay(street: Street) -> None:
    other = street.open("v2", "v2-42", ("team", "42"), tenant="other")
    await street.change(Tenant("acme", stage="v3"))
    assert other.codes == []


async def test_a_change_taken_back_lets_those_stay_whose_turn_has_not_come(street: Street) -> None:
    old = v2(street)
    street.moves.apply(street.tenant, Tenant("acme", stage="v3"))
    await street.change(Tenant("acme"))
    assert old.codes == []


async def test_a_generated_id_is_the_last_to_drain(street: Street) -> None:
    generated = street.open("v2", "anonymous-x", (None, None))
    await street.change(Tenant("acme", stage="drain", share=99))
    assert generated.codes == []
    await street.change(Tenant("acme", stage="drain", share=100))
    assert generated.codes == ["moved_to_v3"]


@pytest.mark.parametrize(
    ("id_map", "of_v2", "of_v3"),
    [
        ({"42": "Xk3"}, ["going_away"], []),
        ({"7": "Xk3"}, [], []),
        ({"ann": "Xk3"}, [], ["going_away"]),
        ({"team": "Yl4"}, ["going_away"], ["going_away"]),
    ],
    ids=["the client's", "another's", "an alias", "the group's"],
)
async def test_whose_name_changes_returns_under_the_new_one(
    street: Street, id_map: dict[str, str], of_v2: list[str], of_v3: list[str]
) -> None:
    old, new = v2(street), v3(street)
    await street.change(Tenant("acme", names=Names(id_map)))
    assert (old.codes, new.codes) == (of_v2, of_v3)


async def test_a_generated_id_keeps_its_name(street: Street) -> None:
    generated = street.open("v2", "anonymous-x", (None, None))
    await street.change(Tenant("acme", names=Names({"anonymous-x": "Xk3"})))
    assert generated.codes == []


async def test_whoever_gave_no_group_goes_with_the_default_group(street: Street) -> None:
    in_the_lobby = street.open("v2", "v2-42", (None, "42"))
    await street.change(Tenant("acme", names=Names({"lobby": "Team7"})))
    assert in_the_lobby.codes == ["going_away"]


async def test_who_arrives_while_the_tenant_changes_is_looked_at_when_it_has_arrived(street: Street) -> None:
    street.tenant = Tenant("acme", stage="v3")
    late = v2(street)
    async with running(street.world.connections):
        await until(lambda: late.codes == ["v2_retired"])


async def test_who_arrives_in_a_tenant_that_nobody_knows_stays(street: Street) -> None:
    stranger = street.open("v2", "v2-42", ("team", "42"), tenant="unknown")
    await street.change(street.tenant)
    assert stranger.codes == []
