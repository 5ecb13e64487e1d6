"""Who is to be told that a peer is gone: one call, made once. Pure."""

from collections.abc import Callable

from bridge.sockets.ports import nothing


class Departure:
    """Of one peer."""

    __slots__ = ("_call", "_is_over")

    def __init__(self) -> None:
        self._call = nothing
        self._is_over = False

    def when_gone(self, call: Callable[[], None]) -> None:
        """Make this call, and none that was given before, once the peer is gone; at once where it is gone already."""
        if self._is_over:
            call()
        else:
            self._call = call

    def gone(self) -> None:
        """The peer is gone; harmless when repeated."""
        self._is_over = True
        call, self._call = self._call, nothing
        call()
