"""Messages and connections by the minute and by the hour, as they stand in Redis."""

from __future__ import annotations

from bridge.records.rows import Noted, Sample
from tests.bridge.admin.desk import TENANT
from tests.bridge.records.book import Book


async def test_messages_and_connections_are_sampled_by_the_minute_and_by_the_hour(book: Book) -> None:
    book.connections = {(TENANT, "v2"): 2, (TENANT, "v3"): 5}
    book.clock.ahead_seconds = 1 - (book.clock.milliseconds % 3_600_000) / 1_000  # from the beginning of an hour
    book.counts.messages[TENANT, "v2"] += 4
    assert sampled(await book.written(book.desk.tables.minutes), "connections", "v2") == []  # the minute is not over
    book.counts.messages[TENANT, "v2"] += 1
    for seconds in (20, 60, 20, 60):
        book.clock.ahead_seconds += seconds
        await book.written(book.desk.tables.minutes)
    minutes, hours = await book.written(book.desk.tables.minutes), await book.written(book.desk.tables.hours)
    assert sampled(minutes, "messages", "v2") == [5]
    assert sampled(minutes, "connections", "v2") == [2, 2]
    assert sampled(minutes, "connections", "v3") == [5, 5]
    assert sampled(hours, "messages", "v2") == [5]
    assert sampled(hours, "connections", "v2") == [4]
    first, second = sorted({row.at for key in minutes if (row := Sample.of(key)) and row.what == "connections"})
    assert first.endswith(":00:00Z")
    assert second.endswith(":01:00Z")


def sampled(rows: dict[str, Noted], what: str, protocol: str) -> list[int]:
    """The counts of one kind, the oldest first."""
    known = [(row, noted) for key, noted in rows.items() if (row := Sample.of(key))]
    known.sort(key=lambda one: one[0].at)
    return [noted.count for row, noted in known if (row.what, row.protocol) == (what, protocol)]
