"""How one part tells others that something has happened: they are called at once, one after the other.

Nothing is queued and nothing awaited. What an observer raises goes to whoever has told it.
"""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Observers(Generic[P]):
    """Those who want to know of one kind of event: a public attribute of the part in which it happens."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[Callable[P, object]] = []

    def add(self, call: Callable[P, object]) -> None:
        """Call this, synchronously, each time from now on; after those that were added before."""
        self._calls.append(call)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> None:
        """Tell all of them."""
        for call in self._calls:
            call(*arguments, **named)
