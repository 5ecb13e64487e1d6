"""What a socket tells the connection that it carries. The connection's side of the wire, as a port. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from bridge.budget.accounts import Holder

ASGI_EXTENSION: Final = "aether.wire"
"""The ASGI extension under which our server offers its wire; any other server is served more slowly, and as well."""

VOUCH: Final = "aether.vouch"
"""The ASGI extension under which our server offers a call that says: the credentials of this request are good."""


def vouch(scope: Mapping[str, Any]) -> None:
    """Say so of a request or a handshake: its socket gives way to no stranger until it has its answer."""
    scope.get("extensions", {}).get(VOUCH, nothing)()


WHEN_GONE: Final = "aether.when_gone"
"""The ASGI extension under which our server takes a call, to be made once nobody is there for the answer."""


def when_gone(scope: Mapping[str, Any], call: Callable[[], None]) -> None:
    """Instead of the call that was to be made before; at once where the socket is gone already."""
    scope.get("extensions", {}).get(WHEN_GONE, _nobody_goes)(call)


CHARGE: Final = "aether.charge"
"""Where in the scope of a request lies who pays for it, on a server of ours."""


def pay(scope: Mapping[str, Any], holder: Holder) -> None:
    """What is left of a request or a handshake, and of what its socket sends, this holder pays, and no stranger."""
    charged, wire = scope.get(CHARGE), scope.get("extensions", {}).get(ASGI_EXTENSION)
    for payer in (charged, wire):
        if payer is not None:
            payer.pays(holder)


def nothing() -> None:
    """What is called where there is nothing to do."""


def _nobody_goes(_call: Callable[[], None]) -> None: ...


class Carried(Protocol):
    """A connection, as its socket sees it. All synchronous; after `lost` nothing more is called."""

    @property
    def holder(self) -> Holder:
        """Who is charged for what is read."""

    def receive(self, text: str, receipt: Any = None) -> None:
        """One text message; `receipt` is told what became of it, where the transport can tell messages apart."""

    def refuse(self, code: str) -> None:
        """A code of the closed list: say why, and close where the list says so."""

    def alive(self) -> None:
        """The client answered a ping."""

    def lost(self) -> None:
        """The connection is over, or about to be: write nothing more."""


class Socket(Protocol):
    """A websocket under a session."""

    def abort(self) -> None:
        """Cut it off."""

    def vouch(self, holder: Holder) -> None:
        """Whoever speaks by it has good credentials, and pays for it."""
