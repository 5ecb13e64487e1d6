"""Whose report is made: one at a time of a tenant, a few at a time of a process, and tenants take turns.

Fair by this alone: since of each tenant one at most waits for a place, whoever asks again and again waits for itself.
It knows nothing of what a report is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MOST_AT_ONCE: Final = 2
MOST_OF_A_TENANT: Final = 16
"""The one that is made and those that wait for it; beyond, `TooManyReports`. A dashboard asks for five at once."""


class TooManyReports(Exception):
    """So many reports of this tenant are asked for already."""


class ReportTurns:
    """The reports of one process that are asked for and made."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._made = 0

    @property
    def is_any_made(self) -> bool:
        """Whether rows of a report are being read and put together."""
        return self._made > 0

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Of this tenant nobody else has it; kept until the answer is with whoever asked. Raises `TooManyReports`."""
        if self._asked[tenant] >= MOST_OF_A_TENANT:
            raise TooManyReports
        self._asked[tenant] += 1
        try:
            async with self._turns.setdefault(tenant, asyncio.Lock()):
                yield
        finally:
            self._let_go(tenant)

    def _let_go(self, tenant: str) -> None:
        self._asked[tenant] -= 1
        if not self._asked[tenant]:
            del self._asked[tenant], self._turns[tenant]

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Kept while a report is made, and not while its answer is read: who reads slowly keeps no other tenant."""
        async with self._places:
            self._made += 1
            try:
                yield
            finally:
                self._made -= 1
