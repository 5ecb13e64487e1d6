"""Sends to one client in one namespace: what a connection takes for its socket. No rules: the session has them."""

from collections.abc import Callable
from typing import Final, Protocol

from bridge.sockets.ports import Carried


class Host(Protocol):
    """What it needs of the session."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Write packets."""

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""

    def dismiss(self, namespace: str, code: int, reason: str) -> None:
        """Remove the client from a namespace, for a reason of the server."""

    def abort(self) -> None:
        """End the session at once."""

    def join(self, namespace: str, carried: Carried) -> None:
        """Add a connection to a namespace, and confirm it to the client."""


class NamespaceWire:
    """Sends to one client in one namespace."""

    def __init__(self, session: Host, namespace: str) -> None:
        self._session = session
        self._namespace = namespace
        self.write: Final = session.write

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Write `last`, then remove the client from the namespace; from its last one, that ends the session."""
        if last:
            self._session.write(last)
        self._session.dismiss(self._namespace, code, reason)

    def abort(self) -> None:
        """End the session at once."""
        self._session.abort()

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._session.is_over

    def join(self, carried: Carried) -> None:
        """Add the connection `carried` to the namespace, and confirm it to the client."""
        self._session.join(self._namespace, carried)
