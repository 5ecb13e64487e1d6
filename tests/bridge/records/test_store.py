"""Tables on a real Redis: what is noted adds up, what is too old or too much is forgotten, and garbage is survived."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.records import store
from bridge.records.retention import Table
from bridge.records.rows import Noted
from bridge.records.store import ROWS_PER_COMMAND, ROWS_PER_PAGE, SECONDS_PER_DAY, read_rows
from tests.bridge.admin.desk import DAY, TENANT, Desk, at_a_desk
from tests.bridge.broker.parts import Answers, running_bus, until
from tests.conftest import StartRedis

START = 1_790_000_000_000
TABLE = Table("census", 1_000, 35)
NUMBERS = count()
KEYS = ("a", "b", "c d", "é", '["v2",null]', "1")
GARBAGE = {
    "string": ("SET", "garbage"),
    "list": ("RPUSH", "garbage"),
    "hash": ("HSET", "garbage", "garbage"),
    "sorted set": ("ZADD", 5, "garbage"),
}
"""Commands without their key."""
DIGITS = "9" * 5_000
HUGE = [f"{DIGITS} 2 3 y", f"1 {DIGITS} 3 y", f"1 2 {DIGITS} y", "1 999999999999999 1 y"]
"""Numbers that Python does not read, and a time for which there is no date."""
REMARKS = ("", "", "one", "two words", "1 2 3 4", "a\nb", "%s", "é")

on_one_redis = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
notes = st.builds(
    lambda key, first, lasts, times, remark: Noted(key, START + first, START + first + lasts, times, remark),
    st.sampled_from(KEYS),
    st.integers(0, DAY),
    st.integers(0, DAY),
    st.integers(0, 10**12),
    st.sampled_from(REMARKS),
)


def a_table(most_rows: int = 1_000, days: int = 35) -> Table:
    """One that nobody has noted anything on."""
    return Table(f"table-{next(NUMBERS)}-{secrets.token_hex(4)}", most_rows, days)


def row(key: str, last: int, times: int = 1) -> Noted:
    return Noted(key, START + last, START + last, times)


@dataclass
class Model:
    """A table as its specification says it, in as few words."""

    most_rows: int
    lifetime: int
    rows: dict[str, Noted] = field(default_factory=dict)
    forgotten: int = 0

    def note(self, batch: Sequence[Noted]) -> None:
        for noted in batch:
            known = self.rows.get(noted.key, noted)
            self.rows[noted.key] = Noted(
                noted.key,
                min(known.first, noted.first),
                max(known.last, noted.last),
                noted.count + (known.count if known is not noted else 0),
                noted.remark or known.remark,
            )
        oldest = max(noted.last for noted in batch) - self.lifetime
        self.rows = {key: noted for key, noted in self.rows.items() if noted.last >= oldest}
        excess = max(0, len(self.rows) - self.most_rows)
        for noted in sorted(self.rows.values(), key=self._age)[:excess]:
            del self.rows[noted.key]
        self.forgotten += excess

    @property
    def newest(self) -> list[Noted]:
        return sorted(self.rows.values(), key=self._age, reverse=True)

    @staticmethod
    def _age(noted: Noted) -> tuple[int, bytes]:
        return noted.last, noted.key.encode()


async def read(desk: Desk, table: Table) -> tuple[list[Noted], int]:
    return await desk.noted(table), await store.forgotten(desk.redis, desk.addresses, table, TENANT)


@on_one_redis
@given(batches=st.lists(st.lists(notes, min_size=1, max_size=12), min_size=1, max_size=4))
async def test_first_is_the_least_last_the_greatest_and_count_the_sum_in_whatever_order(
    desk: Desk, batches: list[list[Noted]]
) -> None:
    everything = [noted for batch in batches for noted in batch]
    table, model = a_table(), Model(1_000, 35 * DAY)
    for batch in batches:
        await desk.note(table, *batch)
    model.note(everything)
    assert await read(desk, table) == (model.newest, 0)
    for key in {noted.key for noted in everything}:
        (held,) = (noted for noted in model.newest if noted.key == key)
        mine = [noted for noted in everything if noted.key == key]
        assert held.first == min(noted.first for noted in mine)
        assert held.last == max(noted.last for noted in mine)
        assert held.count == sum(noted.count for noted in mine)


@on_one_redis
@given(
    most_rows=st.integers(1, 5),
    days=st.integers(1, 3),
    batches=st.lists(
        st.lists(st.builds(row, st.sampled_from("abcdefghij"), st.integers(0, 6 * DAY)), min_size=1, max_size=8),
        min_size=1,
        max_size=5,
    ),
)
async def test_the_bound_holds_and_what_is_too_old_is_forgotten(
    desk: Desk, most_rows: int, days: int, batches: list[list[Noted]]
) -> None:
    table, model = a_table(most_rows, days), Model(most_rows, days * DAY)
    for batch in batches:
        await desk.note(table, *batch)
        model.note(batch)
        rows, forgotten = await read(desk, table)
        assert len(rows) <= most_rows
        assert (rows, forgotten) == (model.newest, model.forgotten)


async def test_the_rows_that_were_noted_longest_ago_are_forgotten_first_and_counted(desk: Desk) -> None:
    table = a_table(most_rows=3)
    await desk.note(table, *(row(name, last) for name, last in (("old", 1), ("older", 0), ("new", 3), ("newer", 4))))
    assert [noted.key for noted in await desk.noted(table)] == ["newer", "new", "old"]
    await desk.note(table, row("old", 5), row("newest", 6))
    assert [noted.key for noted in await desk.noted(table)] == ["newest", "old", "newer"]
    assert await store.forgotten(desk.redis, desk.addresses, table, TENANT) == 2


async def test_what_was_not_noted_for_its_days_is_forgotten_and_not_counted_as_left_out(desk: Desk) -> None:
    table = a_table(days=2)
    await desk.note(table, row("gone", 0), row("kept", 1))
    await desk.note(table, row("new", 2 * DAY + 1))
    assert [noted.key for noted in await desk.noted(table)] == ["new", "kept"]
    assert await store.forgotten(desk.redis, desk.addresses, table, TENANT) == 0


async def test_a_table_on_which_nothing_is_noted_any_more_is_gone_with_its_days(desk: Desk) -> None:
    table = a_table(days=2)
    await desk.note(table, row("a", 0))
    name = desk.addresses.roll(TENANT, table.name)
    for key in (name, f"{name}:order"):
        assert 2 * SECONDS_PER_DAY - 60 < await desk.redis.ttl(key) <= 2 * SECONDS_PER_DAY


async def test_more_rows_than_fit_one_command_or_one_page_are_all_kept_and_read(desk: Desk) -> None:
    number = ROWS_PER_PAGE * 2 + ROWS_PER_COMMAND // 2
    table = a_table(most_rows=number)
    await desk.note(table, *(row(f"k{index}", index) for index in range(number)))
    assert [noted.key for noted in await desk.noted(table)] == [f"k{index}" for index in reversed(range(number))]
    assert [noted.key for noted in await desk.noted(table, START + number - 3)] == [
        f"k{index}" for index in (number - 1, number - 2, number - 3)
    ]


async def test_nothing_is_read_of_a_tenant_that_has_no_table(desk: Desk) -> None:
    assert await read(desk, a_table()) == ([], 0)


@pytest.mark.parametrize("part", ["", ":order"])
@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_of_another_type_under_its_name_does_not_break_it(desk: Desk, part: str, kind: str) -> None:
    table = a_table()
    name = desk.addresses.roll(TENANT, table.name) + part
    await desk.redis.execute_command(*GARBAGE[kind][:1], name, *GARBAGE[kind][1:])  # type: ignore[no-untyped-call]
    await desk.note(table, row("a", 1), row("b", 2))
    await desk.note(table, row("a", 3))
    rows, _ = await read(desk, table)
    assert rows == [replace(row("a", 1, 2), last=START + 3), row("b", 2)]


@pytest.mark.parametrize("value", ["garbage", "", "1 2 3", "1 2 x y", "-1 2 3 y", "1.5 2 3 y", b"\xff \xfe 1 2"])
async def test_a_row_that_cannot_be_read_is_passed_over_and_written_anew(desk: Desk, value: str | bytes) -> None:
    table = a_table()
    await desk.note(table, row("a", 1), row("b", 2))
    await desk.redis.hset(desk.addresses.roll(TENANT, table.name), "a", value)
    assert [noted.key for noted in await desk.noted(table)] == ["b"]
    await desk.note(table, row("a", 3, 7))
    assert await desk.noted(table) == [row("a", 3, 7), row("b", 2)]


async def test_rows_that_redis_is_not_known_to_have_taken_come_back(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    rows = [row(f"k{index}", index) for index in range(ROWS_PER_COMMAND + 3)]
    async with running_bus(server.url) as bus, at_a_desk(server.url, prefix) as desk:
        server.kill()
        failed = Answers()
        store.note(bus, desk.addresses, TABLE, TENANT, rows, failed)
        assert [len(await failed.next()), len(await failed.next())] == [ROWS_PER_COMMAND, 3]
        await until(lambda: not bus.is_up)
        store.note(bus, desk.addresses, TABLE, TENANT, rows[:1], failed)
        assert await failed.next() == rows[:1]


async def test_a_table_that_is_noted_while_it_is_read_has_each_row_once(desk: Desk) -> None:
    table = Table("read", 100_000, 35)
    number = ROWS_PER_PAGE + 10
    await desk.note(table, *(Noted(f"k{index}", 10**12 + index, 10**12 + index, 1) for index in range(number)))
    found: list[str] = []
    async for page in store.pages(desk.redis, desk.addresses, table, TENANT):
        found += [row.key for row in read_rows(page)]
        if len(found) == ROWS_PER_PAGE:
            await desk.note(table, Noted("k3", 10**12, 2 * 10**12, 1))
    assert sorted(found) == sorted(set(found))  # one is there twice
    assert "k3" in found  # and one not at all


@pytest.mark.parametrize("field", ["", "@"])
@pytest.mark.parametrize("value", [DIGITS, "x", "-1", b"\xff"], ids=["digits", "x", "-1", "ff"])
async def test_a_counter_that_cannot_be_read_counts_nothing(desk: Desk, field: str, value: str | bytes) -> None:
    table = a_table(most_rows=1)
    await desk.note(table, row("a", 1), row("b", 2))
    await desk.redis.hset(desk.addresses.roll(TENANT, table.name), field, value)
    assert await read(desk, table) == ([row("b", 2)], 0)


@pytest.mark.parametrize("part", ["", ":order"])
@pytest.mark.parametrize("kind", GARBAGE)
async def test_something_of_another_type_is_an_empty_table(desk: Desk, part: str, kind: str) -> None:
    table = a_table()
    await desk.note(table, row("a", 1))
    name = desk.addresses.roll(TENANT, table.name) + part
    await desk.redis.delete(name)
    await desk.redis.execute_command(*GARBAGE[kind][:1], name, *GARBAGE[kind][1:])  # type: ignore[no-untyped-call]
    assert await read(desk, table) == ([], 0)


async def test_it_is_read_in_pages_and_no_further_than_it_may_be_long(desk: Desk) -> None:
    table = a_table(most_rows=3 * ROWS_PER_PAGE)
    number = 2 * ROWS_PER_PAGE + 1
    await desk.note(table, *(row(f"k{index}", index) for index in range(number)))
    sizes = [len(page) async for page in store.pages(desk.redis, desk.addresses, table, TENANT)]
    assert sizes == [ROWS_PER_PAGE, ROWS_PER_PAGE, 1]
    assert len(await desk.noted(replace(table, most_rows=ROWS_PER_PAGE + 1))) == ROWS_PER_PAGE + 1


@pytest.mark.parametrize("value", HUGE, ids=["first", "last", "count", "date"])
async def test_numbers_that_nobody_can_read_are_no_row(desk: Desk, value: str) -> None:
    table = a_table()
    await desk.note(table, row("a", 1), row("b", 2))
    await desk.redis.hset(desk.addresses.roll(TENANT, table.name), "a", value)
    assert await desk.noted(table) == [row("b", 2)]
