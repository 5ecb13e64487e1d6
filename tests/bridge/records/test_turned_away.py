"""Which refused clients the guards see: those that were known, each once."""

from __future__ import annotations

import time

import pytest

from bridge.records import turned_away
from bridge.records.rows import Visitor
from bridge.records.turned_away import SLICE_LIFETIME_SECONDS, SLICE_SECONDS, in_a_minute, note
from tests.bridge.admin.desk import TENANT, Desk, now, v2
from tests.bridge.records.book import Book


async def met(desk: Desk, *visitors: Visitor) -> None:
    for one in visitors:
        await desk.met(one, now(), now())


async def counted(desk: Desk, *visitors: Visitor, seconds_ago: float = 0) -> int:
    """How many are counted in a minute, after these were refused."""
    note(desk.bus, desk.addresses, TENANT, visitors, time.time() - seconds_ago)
    await desk.settled()
    return await in_a_minute(desk.redis, desk.addresses, TENANT, now())


async def test_only_who_was_known_counts_and_each_client_once(desk: Desk) -> None:
    known, nameless = v2("42"), v2(None, user_agent="kiosk/1")
    await met(desk, known, v2("42", "another group"), nameless)
    assert await counted(desk, *(v2(f"stranger-{number}") for number in range(500))) == 0
    assert await counted(desk, v2("42", "a group it was never in"), v2(None, user_agent="curl")) == 0
    assert await counted(desk, *[known] * 100) == 1
    assert await counted(desk, v2("42", "another group"), seconds_ago=20) == 1
    assert await counted(desk, nameless) == 2


async def test_many_are_counted_within_bounds(desk: Desk) -> None:
    crowd = [v2(f"client-{number}") for number in range(1_000)]
    await met(desk, *crowd[:1])
    await desk.turned_away(1_000)
    assert 970 <= await counted(desk) <= 1_030
    (name,) = [each async for each in desk.redis.scan_iter(f"{desk.addresses.prefix}*:refused:*")][:1]
    assert (await desk.redis.memory_usage(name) or 0) < 20_000
    assert 0 < await desk.redis.ttl(name) <= SLICE_LIFETIME_SECONDS


@pytest.mark.parametrize("spoiled", ["string", "list"])
async def test_what_is_not_ours_counts_for_nothing_and_makes_room(desk: Desk, spoiled: str) -> None:
    await met(desk, v2("42"))
    for slices_ago in range(3):
        name = desk.addresses.refused(TENANT, int(time.time()) // SLICE_SECONDS - slices_ago)
        if spoiled == "string":
            await desk.redis.set(name, b"HYLL somebody else's")
        else:
            await desk.redis.lpush(name, "somebody else's")
    assert await in_a_minute(desk.redis, desk.addresses, TENANT, now()) == 0
    assert await counted(desk, v2("42"), seconds_ago=SLICE_SECONDS) == 1


@pytest.mark.parametrize("garbage", [("SET", "HYLL and no more"), ("RPUSH", "x"), ("HSET", "x", "y")])
async def test_a_slice_in_whose_place_something_else_stands_counts_none_and_the_others_count(
    desk: Desk, garbage: tuple[str, ...]
) -> None:
    await met(desk, v2("42"))
    assert await counted(desk, v2("42"), seconds_ago=20) == 1
    for age in (0, 1, 2):
        name = desk.addresses.refused(TENANT, int(time.time()) // 5 - age)
        await desk.redis.delete(name)
        await desk.redis.execute_command(garbage[0], name, *garbage[1:])  # type: ignore[no-untyped-call]
    assert await in_a_minute(desk.redis, desk.addresses, TENANT, now()) == 1


async def test_refused_clients_are_counted_in_the_slice_of_time_in_which_they_came(book: Book) -> None:
    people = [v2(f"client-{number}") for number in range(3)]
    for each in people:
        await book.desk.met(each, now(), now())
    book.clock.ahead_seconds = SLICE_SECONDS - (book.clock.milliseconds % (SLICE_SECONDS * 1_000)) / 1_000
    number = book.clock.milliseconds // (SLICE_SECONDS * 1_000)
    for each in (people[0], people[0], people[1], v2("a stranger")):
        book.v2.turned_away.add(TENANT, each)
    book.writer.flush()
    book.v2.turned_away.add(TENANT, people[1])
    book.writer.flush()
    book.clock.ahead_seconds += SLICE_SECONDS
    book.v2.turned_away.add(TENANT, people[2])
    book.writer.flush()
    await book.desk.settled()
    names = [book.desk.addresses.refused(TENANT, number + later) for later in range(3)]
    assert [await book.desk.redis.pfcount(name) for name in names] == [2, 1, 0]
    assert 0 < await book.desk.redis.ttl(names[0]) <= SLICE_LIFETIME_SECONDS


async def test_of_many_that_are_refused_so_many_are_told_apart(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned_away, "MOST_TURNED_AWAY", 2)
    for number in range(5):
        book.v2.turned_away.add(TENANT, v2(f"client-{number}"))
    assert len(book.v2.turned_away._visitors[TENANT]) == 2
