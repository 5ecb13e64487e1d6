"""Whose report is made: one at a time of a tenant, a few at a time of a process, and tenants take turns.

Fair by this alone: since of each tenant one at most waits for a place, whoever asks again and again waits for itself.
It knows nothing of what a report is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

MOST_AT_ONCE: Final = 2
MOST_OF_A_KEY: Final = 16
"""About one tenant: the one that is made and those that wait; beyond, `TooManyReports`. A dashboard asks for five at
once. Other keys of the same tenant, or of the platform, wait behind so many at most, and are not refused for them."""


class TooManyReports(Exception):
    """So many reports of this tenant are asked for already with this key."""


class ReportTurns:
    """The reports of one process that are asked for and made."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, Hashable]] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._made = 0

    @property
    def is_any_made(self) -> bool:
        """Whether rows of a report are being read and put together."""
        return self._made > 0

    @asynccontextmanager
    async def turn(self, tenant: str, key: Hashable) -> AsyncIterator[None]:
        """Of this tenant nobody else has it; kept until the answer is with whoever asked. Raises `TooManyReports`."""
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
        """Kept while a report is made, and not while its answer is read: who reads slowly keeps no other tenant."""
        async with self._places:
            self._made += 1
            try:
                yield
            finally:
                self._made -= 1
