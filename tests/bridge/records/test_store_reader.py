"""A table is read page by page, and only what still counts in it."""

from __future__ import annotations

from dataclasses import replace

from bridge.records.rows import Noted
from bridge.records.store import ROWS_PER_PAGE, read_rows
from bridge.records.store_reader import StoreReader
from tests.bridge.admin.desk import DAY, TENANT, Desk, now


async def test_all_rows_are_read_page_by_page_the_newest_first(desk: Desk) -> None:
    number, at = ROWS_PER_PAGE + 1, now()
    await desk.note(desk.tables.ledger, *(Noted(f"k{each}", at - each, at - each, 1) for each in range(number)))
    reader = StoreReader(desk.redis, desk.addresses, desk.tables)
    assert [row.key for row in await reader.rows(desk.tables.ledger, TENANT)] == [f"k{each}" for each in range(number)]
    pages = [len(list(read_rows(page))) async for page in reader.pages(desk.tables.ledger, TENANT)]
    assert pages == [ROWS_PER_PAGE, 1]


async def test_what_is_older_than_the_table_keeps_is_left_out_and_so_is_what_it_forgot_then(desk: Desk) -> None:
    reader = StoreReader(desk.redis, desk.addresses, desk.tables)
    bounded = replace(desk.tables.ledger, most_rows=1)
    old = now() - 36 * DAY
    await desk.note(bounded, Noted("a", old, old, 1), Noted("b", old, old, 1))
    assert await reader.rows(bounded, TENANT) == []
    assert await reader.forgotten(bounded, TENANT) == 0
    await desk.note(bounded, Noted("c", now(), now(), 1), Noted("d", now(), now(), 1))
    assert len(await reader.rows(bounded, TENANT)) == 1
    assert await reader.forgotten(bounded, TENANT) == 2
