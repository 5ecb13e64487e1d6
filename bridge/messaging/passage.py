"""How a client comes and goes: what others do for one connection then. It does nothing by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Leaving = TypeVar("Leaving")
"""A connection."""


def _at_once(_is_expected: bool, then: Callable[[str | None], None]) -> None:  # noqa: FBT001
    then(None)


def _nothing() -> None: ...


def _ignore(_leaving: object) -> None: ...


@dataclass(slots=True)
class Passage(Generic[Leaving]):
    """How a client comes and goes: what others do for it then. Without them nothing is done."""

    first_words: Callable[[], bytes] = bytes
    """Returns framed bytes that the client is sent when its connection begins, before anything new."""
    withdraw: Callable[[bool, Callable[[str | None], None]], None] = _at_once
    """Ends what is said to a client alone that is expected back, or not; then calls its argument with a cursor."""
    leaving: Callable[[Leaving], None] = _ignore
    """Called with the connection when it is over, before anything is handed on; again if all is taken after that."""
    over: Callable[[], None] = _nothing
    """Called once, when the connection is over: what it has taken is given back."""
    staying: Callable[[], None] = _nothing
    """Called at each sign of life of a V2 client."""
    cursor: str | None = None
    """Up to where a client that was sent away has heard everything, if that is known."""
    has_taken_all: bool = False
    """Whether the client has certainly taken all that it was sent, when its socket ended."""
