"""What a socket and what it carries know of each other, and how an application asks its server for it. Pure.

Our server adds to the scope of each request and each handshake what ASGI itself has no word for, as ASGI extensions.
Whoever reads or writes them does it with the functions here. Under any other server they are not there.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypedDict, cast

from bridge.budget.accounts import Holder
from bridge.sockets.outbox import Wire

ASGI_EXTENSION: Final = "aether.wire"
"""A WebSocket offers its wire, which whoever accepts the handshake may attach a connection to."""
VOUCH: Final = "aether.vouch"
"""A call that says: the credentials of this request are good."""
WHEN_GONE: Final = "aether.when_gone"
"""It takes a call, to be made once nobody is there for the answer."""
CHARGE: Final = "aether.charge"
"""Where in a scope, beside the extensions, lies who pays for the request."""


class Payer(Protocol):
    """What is charged to a holder of accounts."""

    def pays(self, holder: Holder) -> None:
        """From now on to this one alone."""


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


class WebSocketWire(Wire, Payer, Protocol):
    """A WebSocket of our server."""

    def attach(self, carried: Carried) -> None:
        """From now on every message goes to `carried`, in the turn of the loop in which it is read."""

    def take_messages_up_to(self, most_bytes: int) -> None:
        """The size of a message, where it is another than that of the server."""


class Socket(Protocol):
    """A websocket under a session."""

    def abort(self) -> None:
        """Cut it off."""

    def vouch(self, holder: Holder) -> None:
        """Whoever speaks by it has good credentials, and pays for it."""


Extensions = TypedDict(
    "Extensions",
    {
        "aether.wire": WebSocketWire,
        "aether.vouch": Callable[[], None],
        "aether.when_gone": Callable[[Callable[[], None]], None],
    },
    total=False,
)


def extensions_of(scope: Mapping[str, object]) -> Extensions:
    """What our server offers in this scope."""
    return cast(Extensions, scope.get("extensions", {}))


def offer(scope: Mapping[str, object], extensions: Extensions) -> None:
    """Add extensions to the scope of a request or a handshake."""
    cast(dict[str, dict[str, object]], scope).setdefault("extensions", {}).update(extensions)


def wire_of(scope: Mapping[str, object]) -> WebSocketWire | None:
    """The wire of the socket that sent this handshake; `None` under a server that is not ours."""
    return extensions_of(scope).get(ASGI_EXTENSION)


def vouch(scope: Mapping[str, object]) -> None:
    """The credentials of this request are good: its socket gives way to no stranger until it has its answer."""
    extensions_of(scope).get(VOUCH, nothing)()


def when_gone(scope: Mapping[str, object], call: Callable[[], None]) -> None:
    """Once nobody is there for the answer, make this call and none given before; at once where that is so already."""
    extensions_of(scope).get(WHEN_GONE, _nobody_goes)(call)


def pay(scope: Mapping[str, object], holder: Holder) -> None:
    """What is left of a request or a handshake, and of what its socket sends, this holder pays, and no stranger."""
    for payer in (cast(Payer | None, scope.get(CHARGE)), wire_of(scope)):
        if payer is not None:
            payer.pays(holder)


def nothing() -> None:
    """What is called where there is nothing to do."""


def _nobody_goes(_call: Callable[[], None]) -> None: ...
