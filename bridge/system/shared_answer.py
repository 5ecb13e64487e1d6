"""One answer shared by all callers that ask at the same time, but never an answer that was begun before they asked.

A caller that asks while an answer is being found waits for the next one, together with all others that ask meanwhile.
So at most two answers are found, however many callers ask at once, and one at a time for each name. It does not know
what an answer is.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

N = TypeVar("N", bound=Hashable)
T = TypeVar("T")


class SharedAnswer(Generic[N, T]):
    """Answers by name. An answer is forgotten when no caller waits for that name any more."""

    def __init__(self, find: Callable[[N], Awaitable[T]]) -> None:
        self._find = find
        self._begun = 0
        self._asking: Counter[N] = Counter()
        self._turns: dict[N, asyncio.Lock] = {}
        self._found: dict[N, tuple[int, T]] = {}
        """Name -> the number of the answer, in the order in which answers were begun, and the answer."""

    async def of(self, name: N) -> T:
        """The answer for a name. Raises what `find` raises; then the next caller that waits tries again."""
        asked = self._begun
        self._asking[name] += 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                return await self._since(name, asked)
        finally:
            self._let_go(name)

    async def _since(self, name: N, asked: int) -> T:
        known = self._found.get(name)
        if known is not None and known[0] > asked:
            return known[1]
        self._begun += 1
        begun = self._begun
        found = await self._find(name)
        self._found[name] = begun, found
        return found

    def _let_go(self, name: N) -> None:
        self._asking[name] -= 1
        if not self._asking[name]:
            del self._asking[name], self._turns[name]
            self._found.pop(name, None)
