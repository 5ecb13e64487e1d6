"""How what is recorded reaches Redis: each second and in steps, and what was not taken waits within its bound."""

from __future__ import annotations

from collections import Counter

import pytest

from bridge.records import backlog as backlogs
from bridge.records import store
from bridge.records import writer as writers
from bridge.records.backlog import ROWS_PER_STEP
from bridge.records.rows import Speech, Visitor
from bridge.records.store import read_rows
from tests.bridge.admin.desk import TENANT, Desk, at_a_desk, v2
from tests.bridge.broker.parts import running, until, until_true
from tests.bridge.records.book import OLD, SPEECH, Book
from tests.conftest import StartRedis


async def test_it_writes_by_itself(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "WRITE_SECONDS", 0.02)
    async with running(book.writer):
        book.say()

        async def is_written() -> bool:
            return len(await book.desk.noted(book.desk.tables.speeches)) == 1

        await until_true(is_written)
    assert book.backlog.waiting == 0


async def test_much_is_written_in_steps_between_which_others_have_their_turn(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "WRITE_SECONDS", 0.02)
    number = 3 * ROWS_PER_STEP + 7
    for index in range(number):
        book.say(Speech("v2", f"k{index}", "lobby", "msg", "group", None, "none"))
        book.v2.frame_keys.read(TENANT, {f"key {index}": 1})
    async with running(book.writer):

        async def is_written() -> bool:
            tables = (book.desk.tables.speeches, book.desk.tables.ledger)
            return [len(await book.desk.noted(table)) for table in tables] == [number, number]

        await until_true(is_written)
    assert (book.backlog.waiting, book.backlog.left_out) == (0, 0)


async def test_two_processes_add_to_the_same_rows(desk: Desk) -> None:
    one, other = Book(desk), Book(desk)
    for book in (one, other):
        book.recorder.arrived(TENANT, OLD, "")
        book.say(times=2)
        book.writer.flush()
    assert (await one.speeches())[SPEECH.key()].count == 4
    assert (await one.census())[OLD.key()].count == 4


async def test_where_nothing_is_to_be_kept_nothing_is_noted_and_nothing_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "WRITE_SECONDS", 0)
    book = Book(desk, is_kept=False)
    async with running(book.writer):
        book.recorder.arrived(TENANT, OLD, "kiosk/1")
        book.say()
        book.v2.frame_keys.read(TENANT, {"volume": 3})
        book.recorder.left(TENANT, OLD)
        await desk.settled()
        assert book.backlog.waiting == 0
    assert await book.speeches() == await book.census() == await book.ledger() == {}
    assert await desk.redis.keys(f"{desk.addresses.prefix}:*") == []


async def test_what_redis_did_not_take_waits_and_is_counted_together_until_it_is_back(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with at_a_desk(server.url, prefix) as desk:
        book = Book(desk)
        book.recorder.arrived(TENANT, OLD, "kiosk/1")
        book.say(times=2)
        server.kill()
        book.writer.flush()  # it is not yet known to be away
        await until(lambda: not desk.bus.is_up)
        waiting = book.backlog.waiting
        assert waiting == 2
        book.say(times=3)
        book.writer.flush()
        assert book.backlog.waiting == waiting
        server.start()
        await until(lambda: desk.bus.is_up)
        speeches, census = await book.speeches(), await book.census()
        assert speeches[SPEECH.key()].count == 5
        assert (census[OLD.key()].count, census[OLD.key()].remark) == (5, "kiosk/1")
        assert (book.backlog.waiting, book.backlog.left_out) == (0, 0)


async def test_while_redis_is_away_no_more_than_so_many_rows_wait(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlogs, "MOST_WAITING", 3)
    server = redis_server()
    async with at_a_desk(server.url, prefix) as desk:
        book = Book(desk)
        server.kill()
        await until(lambda: not desk.bus.is_up)
        for number in range(5):
            book.recorder.arrived(TENANT, v2(f"k{number}"), "")
        assert (book.backlog.waiting, book.backlog.left_out) == (3, 2)
        server.start()
        await until(lambda: desk.bus.is_up)
        assert set(await book.census()) == {v2(f"k{number}").key() for number in range(3)}


async def test_the_tables_of_two_tenants_are_kept_apart(desk: Desk) -> None:
    book = Book(desk)
    book.recorder.arrived(TENANT, OLD, "")
    book.recorder.arrived("other", Visitor("v2", "v2", "7", "lobby"), "")
    assert set(await book.census()) == {OLD.key()}
    pages = store.pages(desk.redis, desk.addresses, desk.tables.census, "other")
    other = [row.key async for page in pages for row in read_rows(page)]
    assert Counter(other) == Counter([v2("7").key()])


async def test_the_last_words_count_though_they_are_written_in_steps(desk: Desk) -> None:
    book, last = Book(desk), v2("k250")
    book.recorder.arrived(TENANT, last, "")
    for number in range(300):
        book.say(Speech("v2", f"k{number}", "lobby", "msg", "group", None, "none"))
    steps = book.writer._write()
    next(steps)
    book.recorder.left(TENANT, last)
    for _ in steps:
        pass
    assert (await book.census())[last.key()].count == 1


async def test_where_nothing_is_kept_nothing_is_written_at_the_end_either(desk: Desk) -> None:
    book = Book(desk, is_kept=False)
    book.counts.conversions[TENANT, "v2_to_v3", "exact"] += 3
    book.writer.flush()  # as `Process._say_last_words` does
    await desk.settled()
    assert await desk.redis.keys(f"{desk.addresses.prefix}:*") == []


async def test_what_stood_in_the_place_of_a_table_is_told_with_the_tenant_and_the_table(book: Book) -> None:
    told: list[tuple[str, str]] = []
    book.writer.lost.add(lambda *lost: told.append(lost))
    await book.desk.redis.set(book.desk.addresses.roll(TENANT, "speeches"), "something else")
    book.say()
    assert (await book.speeches())[SPEECH.key()].count == 1
    assert told == [(TENANT, "speeches")]
