"""One callback for the end of a socket: called once, when the peer is gone. Pure."""

from collections.abc import Callable

from bridge.sockets.ports import nothing


class Departure:
    """The callback of one socket."""

    __slots__ = ("_call", "_is_over")

    def __init__(self) -> None:
        self._call = nothing
        self._is_over = False

    def when_gone(self, call: Callable[[], None]) -> None:
        """Set the callback, in place of any earlier one. It is called at once if the peer is gone already."""
        if self._is_over:
            call()
        else:
            self._call = call

    def gone(self) -> None:
        """Call the callback: the peer is gone. Harmless when repeated."""
        self._is_over = True
        call, self._call = self._call, nothing
        call()
