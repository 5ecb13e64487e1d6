"""The order in which reports are made: one at a time for a tenant, `MOST_AT_ONCE` for the process; tenants take turns.

This alone makes it fair: of each tenant only one report waits for a place, so a tenant that asks again and again only
waits for itself. It does not know what a report is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

MOST_AT_ONCE: Final = 2
MOST_OF_A_KEY: Final = 16
"""Reports of one tenant that one key can ask for at once, the one that is made included; beyond, `TooManyReports`.

A dashboard asks for five at once. Another key, of the same tenant or of the platform, waits behind so many at most, and
is not refused because of them."""


class TooManyReports(Exception):
    """This key has asked for `MOST_OF_A_KEY` reports of this tenant that are not answered yet."""


class ReportTurns:
    """The reports of one process: those that wait, and those that are made."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, Hashable]] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._made = 0

    @property
    def is_any_made(self) -> bool:
        """Whether any report is being made now: its rows are read and put together."""
        return self._made > 0

    @asynccontextmanager
    async def turn(self, tenant: str, key: Hashable) -> AsyncIterator[None]:
        """Wait for the turn of this tenant, and keep it until the answer is sent. Raises `TooManyReports`."""
        if self._asked[tenant, key] >= MOST_OF_A_KEY:
            raise TooManyReports
        self._asked[tenant, key] += 1
        try:
            async with self._turns.setdefault(tenant, asyncio.Lock()):
                yield
        finally:
            self._let_go(tenant, key)

    def _let_go(self, tenant: str, key: Hashable) -> None:
        self._asked[tenant, key] -= 1
        if not self._asked[tenant, key]:
            del self._asked[tenant, key]
            if all(asked != tenant for asked, _ in self._asked):
                del self._turns[tenant]

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it while a report is made.

        Not while its answer is sent: a client that reads slowly must not hold up other tenants.
        """
        async with self._places:
            self._made += 1
            try:
                yield
            finally:
                self._made -= 1
