"""Refused clients, as Redis adds them up: known ones and strangers, who was moved when, and who may push out whom."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.records import refused_clients
from bridge.records.backlog import Backlog
from bridge.records.refused_clients import RefusedClient, RefusedClients, network_of
from bridge.records.retention import MOST_STRANGERS, Table
from bridge.records.rows import Facts, Visitor
from bridge.records.whereabouts import Refused
from tests.bridge.admin.desk import TENANT, Clock, Desk, now, v2, v3


class Door:
    """A process that refuses clients; `others` have clocks and writes of their own."""

    def __init__(self, desk: Desk, *, is_kept: bool = True) -> None:
        self.desk = desk
        self.clock = Clock()
        self.backlog = Backlog(is_kept=is_kept)
        self.clients = RefusedClients(desk.bus, desk.addresses, desk.tables, self.backlog, self.clock.seconds)

    def refuse(self, visitor: Visitor, code: str = "moved_to_v3", tenant: str = TENANT) -> None:
        self.clients.refused(RefusedClient.of(tenant, visitor, code, "kiosk/1", "192.0.2.7"))

    def send_away(self, visitor: Visitor, code: str = "moved_to_v3") -> None:
        self.clients.sent_away(RefusedClient.of(TENANT, visitor, code, "kiosk/1", "192.0.2.7"))

    async def write(self) -> None:
        for _ in self.clients.note_rows():
            pass
        await self.desk.settled()

    async def known(self) -> dict[str | None, Refused]:
        await self.write()
        return await rows(self.desk, self.desk.tables.refused)

    async def strangers(self) -> dict[str | None, Refused]:
        await self.write()
        return await rows(self.desk, self.desk.tables.strangers)


async def rows(desk: Desk, table: Table) -> dict[str | None, Refused]:
    found = filter(None, map(Refused.of, await desk.noted(table)))
    return {refused.name.client_id: refused for refused in found}


@pytest.fixture
def door(desk: Desk) -> Door:
    return Door(desk)


async def test_a_known_client_is_counted_with_its_last_code_and_where_it_came_from(door: Door, desk: Desk) -> None:
    await desk.met(v2("42"), now() - 9, now() - 9)
    door.refuse(v2("42"), "unauthenticated")
    door.refuse(v2("42"), "forbidden")
    (refused,) = (await door.known()).values()
    assert refused.facts == Facts("forbidden", "kiosk/1", "192.0.2.0/24", "lobby", "v2", at_door=True)
    assert (refused.times, refused.moved_at, refused.knocks) == (2, 0, 0)
    assert await door.strangers() == {}


async def test_knocks_are_those_after_the_move_in_one_write_or_in_several(door: Door, desk: Desk) -> None:
    for name in ("closed", "knocked"):
        await desk.met(v2(name), now() - 9, now() - 9)
    door.send_away(v2("closed"))
    for _ in range(3):
        for name in ("closed", "knocked"):
            door.refuse(v2(name))
    first = await door.known()
    assert [(one.knocks, one.times) for one in (first["closed"], first["knocked"])] == [(3, 3), (2, 3)]
    door.clock.ahead_seconds = 5
    door.refuse(v2("closed"))
    door.refuse(v2("closed"), "unauthenticated")
    second = (await door.known())["closed"]
    assert (second.knocks, second.times, second.moved_at) == (4, 5, first["closed"].moved_at)


async def test_who_was_on_v2_again_is_moved_anew(door: Door, desk: Desk) -> None:
    await desk.met(v2("42"), now() - 9, now() - 9)
    door.send_away(v2("42"))
    door.refuse(v2("42"))
    before = (await door.known())["42"]
    await desk.met(v2("42"), now() + 5_000, now() + 5_000)
    door.clock.ahead_seconds = 9
    door.refuse(v2("42"))
    again = (await door.known())["42"]
    assert again.moved_at > before.moved_at + 5_000
    assert (again.knocks, again.times) == (0, 2)
    await desk.met(v2("42"), now() + 15_000, now() + 15_000)
    door.clock.ahead_seconds = 19
    door.refuse(v2("42"), "unauthenticated")
    assert (await door.known())["42"].moved_at == 0


async def test_what_a_slower_process_tells_of_earlier_is_added_and_does_not_count_as_the_last(
    door: Door, desk: Desk
) -> None:
    await desk.met(v2("42"), now() - 9, now() - 9)
    slow = Door(desk)
    slow.send_away(v2("42"))
    door.clock.ahead_seconds = 3
    door.refuse(v2("42"))
    await door.write()
    await slow.write()
    (refused,) = (await door.known()).values()
    assert (refused.facts.at_door, refused.times) == (True, 1)
    assert refused.knocks == 1
    assert refused.moved_at < refused.last - 2_000


async def test_a_client_that_was_connected_is_known_before_the_census_is_written(door: Door) -> None:
    door.send_away(v2("42"))
    assert list(await door.known()) == ["42"]


async def test_a_flood_of_made_up_ids_pushes_out_nobody_who_is_known_and_last_of_all_who_comes_again(
    door: Door, desk: Desk
) -> None:
    await desk.met(v2("42"), now() - 9, now() - 9)
    door.refuse(v2("42"))
    for _ in range(2):
        door.refuse(v2("a kiosk that loops"), "forbidden")
    await door.write()
    door.clock.ahead_seconds = 1
    for number in range(2 * MOST_STRANGERS):
        door.refuse(v2(f"made up {number}"))
    strangers = await door.strangers()
    assert list(await door.known()) == ["42"]
    assert len(strangers) == MOST_STRANGERS
    assert "a kiosk that loops" in strangers
    roll = desk.addresses.roll(TENANT, "strangers")
    assert (await desk.redis.memory_usage(roll) or 0) < 1_000_000
    assert await desk.redis.ttl(roll) > 0


async def test_more_clients_than_may_wait_are_counted_as_left_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_clients, "MOST_REFUSED", 2)
    for number in range(5):
        door.refuse(v2(str(number)))
    assert door.backlog.left_out == 3
    assert len(await door.strangers()) == 2


async def test_only_who_must_not_come_back_unchanged_is_sent_away(door: Door) -> None:
    for code in ("going_away", "slow_consumer", "unauthenticated"):
        door.send_away(v2(code), code)
    assert {name: one.facts.at_door for name, one in (await door.known()).items()} == {"unauthenticated": False}


async def test_whose_tenant_is_not_known_is_nobodys(door: Door, desk: Desk) -> None:
    door.refuse(v3("ann"), "unauthenticated", tenant="")
    assert await door.strangers() == {}
    assert await desk.redis.hlen(desk.addresses.roll("", "strangers")) == 1


async def test_what_redis_did_not_take_is_sent_again(door: Door, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_bus: Any, _keys: Any, _arguments: Any, done: Any) -> None:
        done(None)

    with monkeypatch.context() as patch:
        patch.setattr(refused_clients.NOTE, "run", lost)
        door.refuse(v2("42"))
        await door.write()
    door.refuse(v2("42"))
    (refused,) = (await door.strangers()).values()
    assert (refused.times, refused.knocks) == (2, 1)


@pytest.mark.parametrize("name", ["census", "refused", "strangers", "refused:order", "strangers:order"])
async def test_what_is_not_ours_makes_room(door: Door, desk: Desk, name: str) -> None:
    await desk.redis.set(desk.addresses.roll(TENANT, name), "somebody else's")
    door.send_away(v2("known"))
    door.refuse(v2("42"))
    assert [list(await door.known()), list(await door.strangers())] == [["known"], ["42"]]


async def test_a_row_that_is_not_ours_begins_anew(door: Door, desk: Desk) -> None:
    door.refuse(v2("42"))
    await door.write()
    roll = desk.addresses.roll(TENANT, "strangers")
    await desk.redis.hset(roll, '["v2","42",""]', "nonsense")
    door.refuse(v2("42"))
    assert (await door.strangers())["42"].times == 1


async def test_nothing_is_kept_where_nothing_is_recorded_and_the_log_is_told_all_the_same(desk: Desk) -> None:
    door = Door(desk, is_kept=False)
    told: list[RefusedClient] = []
    door.clients.told.add(told.append)
    door.refuse(v2("42"))
    assert await door.strangers() == {}
    assert [client.visitor.client_id for client in told] == ["42"]


@pytest.mark.parametrize("text", ["x" * 1_000, "\ud83d", "a\n\x1b[31m"])
async def test_what_strangers_call_themselves_is_cut_and_can_be_stored(door: Door, text: str) -> None:
    door.refuse(Visitor("v2", "v2", text, text), "invalid_id")
    (name,) = await door.strangers()
    assert name is not None
    assert len(name) <= 128


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_of_an_address_its_network_is_kept(address: str, network: str) -> None:
    assert network_of(address) == network
