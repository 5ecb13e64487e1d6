"""One answer for all who ask at the same time, and never one that was begun before they asked. It knows nothing of it.

Whoever asks while another answer is being found waits for the next one, with everybody else who does: so two are
found, however many ask, and one at a time for each name.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """Answers by name; each is forgotten when nobody waits for one of that name any more."""

    def __init__(self, find: Callable[[str], Awaitable[T]]) -> None:
        self._find = find
        self._begun = 0
        self._asking: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}
        self._found: dict[str, tuple[int, T]] = {}
        """When it was begun to be found, in answers begun, and what was."""

    async def of(self, name: str) -> T:
        """The answer. Raises what finding it raises; the next one who waits tries again."""
        asked = self._begun
        self._asking[name] += 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                return await self._since(name, asked)
        finally:
            self._let_go(name)

    async def _since(self, name: str, asked: int) -> T:
        known = self._found.get(name)
        if known is not None and known[0] > asked:
            return known[1]
        self._begun += 1
        begun = self._begun
        found = await self._find(name)
        self._found[name] = begun, found
        return found

    def _let_go(self, name: str) -> None:
        self._asking[name] -= 1
        if not self._asking[name]:
            del self._asking[name], self._turns[name]
            self._found.pop(name, None)
