"""Writes and reads the tables of tenants (`retention.py`) in Redis. It does not know what their rows mean.

Each row has a key, the times when it was first and last noted (milliseconds since the epoch), a count, and a remark. A
row that was not noted for `days` is deleted. Beyond `most_rows` the row that was noted longest ago is deleted, and such
rows are counted as forgotten.

Other programs may write under these names: a row that cannot be read is skipped, and a key of another type is read as
an empty table.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.scripts import Script
from bridge.records.retention import Table
from bridge.records.rows import Noted

ROWS_PER_COMMAND: Final = 200
ROWS_PER_PAGE: Final = 500
SECONDS_PER_DAY: Final = 86_400
LONGEST_NUMBER: Final = 15
"""Digits. With more, numbers in Redis's Lua lose precision, and Python refuses to parse thousands of digits."""
LATEST: Final = 253_402_300_799_999
"""The end of the year 9999, in milliseconds since the epoch: Python has no later date."""
NOTE: Final = Script.in_file("bridge.records", "store_note")

Rows = list[tuple[bytes, bytes | None]]
"""Rows as they are in Redis: the key, and the value, or `None` if the row was deleted meanwhile."""


Failed = Callable[[Sequence[Noted]], None]
Lost = Callable[[], None]


def note(
    bus: Bus,
    addresses: Addresses,
    table: Table,
    tenant: str,
    rows: Sequence[Noted],
    failed: Failed,
    lost: Lost | None = None,
) -> None:
    """Add to the rows of a tenant, without waiting. `failed` later gets the rows that Redis did not confirm.

    `lost` is called if a key of the table had another type: then all earlier rows of it are lost.
    """
    keys = keys_of(addresses, table, tenant)
    for start in range(0, len(rows), ROWS_PER_COMMAND):
        step = rows[start : start + ROWS_PER_COMMAND]
        NOTE.run(bus, keys, _arguments(table, step), _answered(step, failed, lost))


async def pages(redis: Redis, addresses: Addresses, table: Table, tenant: str, since: int = 0) -> AsyncIterator[Rows]:
    """The rows that were last noted at `since` (ms since the epoch) or later, the newest first.

    `ROWS_PER_PAGE` at a time, and `most_rows` in all. `read_rows` decodes them. Raises what redis-py raises.
    """
    rows, order = keys_of(addresses, table, tenant)
    # The whole order is read in one command, because rows that are noted meanwhile would move from page to page.
    asked: Any = redis.zrange(
        order, cast(Any, "+inf"), cast(Any, since), desc=True, byscore=True, offset=0, num=table.most_rows
    )
    keys: list[bytes] = await unreadable.answer_of(asked, [])
    for start in range(0, len(keys), ROWS_PER_PAGE):
        page = keys[start : start + ROWS_PER_PAGE]
        values: list[bytes | None] = await unreadable.answer_of(redis.hmget(rows, page), [])
        yield list(zip(page, values, strict=False))


async def forgotten(redis: Redis, addresses: Addresses, table: Table, tenant: str, since: int = 0) -> int:
    """How many rows were deleted because of `most_rows`; 0 if that last happened before `since` (ms, epoch)."""
    asked = redis.hmget(keys_of(addresses, table, tenant)[0], ["", "@"])
    fields: list[bytes | None] = await unreadable.answer_of(asked, [])
    match [_number((field or b"").decode(errors="replace")) for field in fields]:
        case [int(number), int(last)] if last >= since:
            return number
        case _:
            return 0


def _arguments(table: Table, rows: Sequence[Noted]) -> list[str | int]:
    newest = max(row.last for row in rows)
    seconds = table.days * SECONDS_PER_DAY
    arguments: list[str | int] = [table.most_rows, newest - seconds * 1_000, seconds]
    for row in rows:
        arguments += (row.key, row.first, row.last, row.count, row.remark)
    return arguments


def _answered(rows: Sequence[Noted], failed: Failed, lost: Lost | None) -> Callable[[object], None]:
    def answered(reply: object) -> None:
        if not isinstance(reply, int):
            failed(rows)
        elif reply < 0 and lost is not None:
            lost()

    return answered


def keys_of(addresses: Addresses, table: Table, tenant: str) -> list[str]:
    """The keys in Redis of a tenant's table: its rows, and their order."""
    rows = addresses.roll(tenant, table.name)
    return [rows, f"{rows}:order"]


def read_rows(page: Rows) -> Iterator[Noted]:
    """Decode the rows; skip those that cannot be read."""
    for key, value in page:
        noted = None if value is None else _noted(key, value)
        if noted is not None:
            yield noted


def _noted(key: bytes, value: bytes) -> Noted | None:
    words = value.decode(errors="replace").split(" ", 3)
    match [_number(word) for word in words[:3]]:
        case [int(first), int(last), int(count)] if len(words) > 3 and max(first, last) <= LATEST:
            return Noted(key.decode(errors="replace"), first, last, count, words[3])
        case _:
            return None


def _number(text: str) -> int | None:
    return int(text) if len(text) <= LONGEST_NUMBER and text.isdecimal() else None
