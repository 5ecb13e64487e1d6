"""Synchronous callbacks: how one part of the process tells other parts that something has happened.

Every callback is called at once, in the order in which they were added. Nothing is queued, and nothing is awaited. If
one raises, the exception goes to the part that reported the event, and the callbacks after it are not called.
"""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Observers(Generic[P]):
    """The callbacks for one kind of event. The part in which the event happens has them as a public attribute."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[Callable[P, object]] = []

    def add(self, call: Callable[P, object]) -> None:
        """Call `call` at each event from now on, after the callbacks that were added before it."""
        self._calls.append(call)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> None:
        """Report an event: call every callback with these arguments."""
        for call in self._calls:
            call(*arguments, **named)
