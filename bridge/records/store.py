"""A roll: a bounded record of a tenant in Redis, that forgets. It knows nothing of what its rows mean.

Each row has a key, when it was first and last noted (milliseconds since the epoch), how often, and a remark. What was
not noted for `days` is forgotten, and beyond `most_rows` the row that was noted longest ago is, which is counted.

Whatever else stands in Redis under its names is passed over: a row that cannot be read is none, and something of
another type is an empty roll.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import rows_of
from bridge.broker.scripts import Script
from bridge.records.rows import Noted

ROWS_PER_COMMAND: Final = 200
ROWS_PER_PAGE: Final = 500
SECONDS_PER_DAY: Final = 86_400
LONGEST_NUMBER: Final = 15
"""Digits; Redis reckons no further without loss, and Python refuses to read some thousands of them."""
LATEST: Final = 253_402_300_799_999
"""The end of the year 9999, beyond which there is no date."""
NOTE: Final = Script.in_file("bridge.records", "store_note")

Rows = list[tuple[bytes, bytes | None]]
"""As they stand in Redis: key, and value where there still is one."""


@dataclass(frozen=True, slots=True)
class Roll:
    """One kind of record, with its bounds."""

    name: str
    most_rows: int
    days: int

    def note(
        self,
        bus: Bus,
        addresses: Addresses,
        tenant: str,
        rows: Sequence[Noted],
        failed: "Failed",
        lost: "Lost | None" = None,
    ) -> None:
        """Add to the rows of a tenant. `failed` gets, later, the rows that Redis is not known to have taken.

        `lost` is called where something else stood in the place of all that were there before.
        """
        keys = _keys(addresses, tenant, self.name)
        for start in range(0, len(rows), ROWS_PER_COMMAND):
            step = rows[start : start + ROWS_PER_COMMAND]
            NOTE.run(bus, keys, self._arguments(step), _answered(step, failed, lost))

    def _arguments(self, rows: Sequence[Noted]) -> list[str | int]:
        newest = max(row.last for row in rows)
        seconds = self.days * SECONDS_PER_DAY
        arguments: list[str | int] = [self.most_rows, newest - seconds * 1_000, seconds]
        for row in rows:
            arguments += (row.key, row.first, row.last, row.count, row.remark)
        return arguments

    async def pages(self, redis: Redis, addresses: Addresses, tenant: str, since: int = 0) -> AsyncIterator[Rows]:
        """The rows that were noted at `since` or later, the newest first, never many at once, and `most_rows` in all.

        `read_rows` reads them. Raises what redis-py raises.
        """
        rows, order = _keys(addresses, tenant, self.name)
        # The order is read at once: rows that are noted meanwhile would move from page to page.
        asked: Any = redis.zrange(
            order, cast(Any, "+inf"), cast(Any, since), desc=True, byscore=True, offset=0, num=self.most_rows
        )
        keys = await rows_of(asked)
        for start in range(0, len(keys), ROWS_PER_PAGE):
            page = keys[start : start + ROWS_PER_PAGE]
            values = await rows_of(cast(Any, redis.hmget(rows, page)))
            yield list(zip(page, values, strict=False))

    async def newest(self, redis: Redis, addresses: Addresses, tenant: str, since: int = 0) -> AsyncIterator[Noted]:
        """As `pages`, row by row."""
        async for page in self.pages(redis, addresses, tenant, since):
            for noted in read_rows(page):
                yield noted

    async def forgotten(self, redis: Redis, addresses: Addresses, tenant: str, since: int = 0) -> int:
        """How many rows the bound has made it forget; 0 where that was before `since`."""
        fields = await rows_of(cast(Any, redis.hmget(_keys(addresses, tenant, self.name)[0], ["", "@"])))
        match [_number((field or b"").decode(errors="replace")) for field in fields]:
            case [int(number), int(last)] if last >= since:
                return number
            case _:
                return 0


Failed = Callable[[Sequence[Noted]], None]
Lost = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Rolls:
    """Every roll of a tenant. What their rows are is said by `rows.py`."""

    census: Roll
    """`Visitor`: who connects; counted are the messages that each said, remarked is the user agent."""
    speeches: Roll
    """`Speech`: who says something to whom."""
    ledger: Roll
    """`Conversion` and `ProprietaryKey`."""
    minutes: Roll
    """`Sample`, a row a minute."""
    hours: Roll
    """`Sample`, a row an hour; connections are added up each minute."""


def rolls(census_rows: int, days: int) -> Rolls:
    """The rolls with their bounds: what the operator chooses, and what a drawing needs."""
    return Rolls(
        census=Roll("census", census_rows, days),
        speeches=Roll("speeches", 20_000, days),
        ledger=Roll("ledger", 5_000, days),
        minutes=Roll("minutes", 12_000, 2),
        hours=Roll("hours", 60_000, 400),
    )


def _answered(rows: Sequence[Noted], failed: Failed, lost: Lost | None) -> Callable[[Any], None]:
    def answered(reply: Any) -> None:
        if not isinstance(reply, int):
            failed(rows)
        elif reply < 0 and lost is not None:
            lost()

    return answered


def _keys(addresses: Addresses, tenant: str, name: str) -> list[str]:
    rows = addresses.roll(tenant, name)
    return [rows, f"{rows}:order"]


def read_rows(page: Rows) -> Iterator[Noted]:
    """Those that can be read."""
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
