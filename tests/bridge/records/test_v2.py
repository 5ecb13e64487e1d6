"""What is recorded of V2 alone: the keys of its frames, and what became of its messages; never a value."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bridge.records import v2 as frames
from bridge.records.rows import Conversion, ProprietaryKey
from bridge.records.v2 import LONGEST_KEY
from tests.bridge.admin.desk import DAY, TENANT, Desk
from tests.bridge.records.book import Book


async def test_the_keys_of_v2_frames_are_noted_with_the_types_of_their_values_and_never_a_value(desk: Desk) -> None:
    book = Book(desk, words="msg reload")
    book.v2.frame_keys.read(TENANT, {"msg": "secret", "reload": True, "volume": 3, "title": "secret"})
    book.v2.frame_keys.read(TENANT, {"volume": 4, "msg": "secret"})
    book.v2.frame_keys.read(TENANT, {"volume": "loud"})
    ledger = await book.ledger()
    assert {key: noted.count for key, noted in ledger.items()} == {
        ProprietaryKey("volume", "integer").key(): 2,
        ProprietaryKey("volume", "string").key(): 1,
        ProprietaryKey("title", "string").key(): 1,
    }
    everything = [await desk.redis.hgetall(desk.addresses.roll(TENANT, roll.name)) for roll in (desk.tables.ledger,)]
    assert "secret" not in repr(everything)


@pytest.mark.parametrize("frame", [None, "text", 7, [{"a": 1}], {}])
async def test_what_has_no_keys_has_none_to_note(book: Book, frame: Any) -> None:
    book.v2.frame_keys.read(TENANT, frame)
    assert await book.ledger() == {}


async def test_a_key_that_is_too_long_is_not_noted(book: Book) -> None:
    book.v2.frame_keys.read(TENANT, {"x" * LONGEST_KEY: 1, "y" * (LONGEST_KEY + 1): 1})
    assert set(await book.ledger()) == {ProprietaryKey("x" * LONGEST_KEY, "integer").key()}


async def test_conversions_are_noted_by_day_as_they_are_counted(book: Book) -> None:
    book.clock.ahead_seconds = -(book.clock.milliseconds % DAY) / 1_000  # from the beginning of a day
    day, next_day = (time.strftime("%Y-%m-%d", time.gmtime(time.time() + more)) for more in (0, 86_400))
    book.counts.conversions[TENANT, "v2_to_v3", "stashed"] += 3
    assert [noted.count for noted in (await book.ledger()).values()] == [3]
    book.counts.conversions[TENANT, "v2_to_v3", "stashed"] += 2
    book.counts.conversions[TENANT, "v3_to_v2", "exact"] += 1
    await book.ledger()
    book.clock.ahead_seconds += DAY / 1_000
    book.counts.conversions[TENANT, "v3_to_v2", "exact"] += 7
    assert {key: noted.count for key, noted in (await book.ledger()).items()} == {
        Conversion("v2_to_v3", "stashed", day).key(): 5,
        Conversion("v3_to_v2", "exact", day).key(): 1,
        Conversion("v3_to_v2", "exact", next_day).key(): 7,
    }


async def test_no_more_names_are_noted_in_a_second_than_can_be_written_down(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MOST_NAMES", 5)
    for name in ("a", "b", "a"):
        book.v2.frame_keys.read(TENANT, {f"{name}{number}": 1 for number in range(3)})
    assert book.backlog.left_out == 1
    book.writer.flush()
    book.v2.frame_keys.read(TENANT, {f"b{number}": 1 for number in range(3)})
    assert book.backlog.left_out == 1
