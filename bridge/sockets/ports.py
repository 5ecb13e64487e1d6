"""The interfaces between a socket and its connection, and the ASGI extensions that offer them to the application. Pure.

Our server adds these extensions to the scope of each request and each handshake. They are read and written only with
the functions of this module. Under any other server they are absent.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypedDict, cast

from bridge.budget.accounts import Holder
from bridge.sockets.outbox import Wire
from legacy_v2.refusals import MOVED  # V2
from v3.refusals import HEARD_OUT as HEARD_OUT_ON_V3

ASGI_EXTENSION: Final = "aether.wire"
"""Extension: the socket of a WebSocket handshake. After accepting it, the application may attach a connection to it."""
VOUCH: Final = "aether.vouch"
"""Extension: a function to call when the request's credentials are valid. It marks the socket as authenticated."""
WHEN_GONE: Final = "aether.when_gone"
"""Extension: a function that takes a callback, which is called when the client is gone."""
ABORT: Final = "aether.abort"
"""Extension: a function that ends the socket of a request at once, and drops what waits to be sent on it."""
HEARD_OUT: Final = frozenset(
    {
        *HEARD_OUT_ON_V3,
        *MOVED,  # V2
    }
)
"""Reasons to close politely. What arrives until the client's own close was sent before it could know, and is heeded.

After any other close nothing is heeded.
"""
CHARGE: Final = "aether.charge"
"""Key in the scope itself, not an extension: the `Payer` of the request."""


class Payer(Protocol):
    """Work that is charged to a holder of budget accounts."""

    def pays(self, holder: Holder) -> None:
        """Charge this holder alone, from now on."""


class Carried(Protocol):
    """What a socket calls on the connection that it carries. All synchronous; nothing is called after `lost`."""

    @property
    def holder(self) -> Holder:
        """The holder of the budget accounts that pay for what is read."""

    def receive(self, text: str, receipt: Any = None) -> None:
        """Handle one text message. `receipt`, if the transport has one, is told whether it was published."""

    def refuse(self, code: str) -> None:
        """Send the client an ERROR with this code of the closed list; close if the list says so."""

    @property
    def reads_binary(self) -> bool:
        """Whether a binary message that is UTF-8 is read as text; otherwise every binary message is refused."""

    def alive(self) -> None:
        """The client has given a sign of life: it answered a ping, or has sent anything else instead."""

    def taken_all(self) -> None:
        """The client has certainly taken everything that it was sent, and ends the connection: `lost` follows.

        Or it was closed politely, and answers that: then this comes after `lost`.
        """

    def lost(self) -> None:
        """The connection is over or about to end: nothing more may be written."""


class WebSocketWire(Wire, Payer, Protocol):
    """A WebSocket of our server."""

    def attach(self, carried: Carried) -> None:
        """From now on pass every message to `carried`, in the turn of the loop in which it is read."""

    def take_messages_up_to(self, most_bytes: int) -> None:
        """Set the largest size of a message for this socket, in place of the server's."""


Extensions = TypedDict(
    "Extensions",
    {
        "aether.wire": WebSocketWire,
        "aether.vouch": Callable[[], None],
        "aether.when_gone": Callable[[Callable[[], None]], None],
        "aether.abort": Callable[[], None],
    },
    total=False,
)


def extensions_of(scope: Mapping[str, object]) -> Extensions:
    """Our server's extensions in this scope; empty under another server."""
    return cast(Extensions, scope.get("extensions", {}))


def offer(scope: Mapping[str, object], extensions: Extensions) -> None:
    """Add extensions to the scope of a request or a handshake."""
    cast(dict[str, dict[str, object]], scope).setdefault("extensions", {}).update(extensions)


def wire_of(scope: Mapping[str, object]) -> WebSocketWire | None:
    """The socket that sent this handshake; `None` under a server that is not ours."""
    return extensions_of(scope).get(ASGI_EXTENSION)


def vouch(scope: Mapping[str, object]) -> None:
    """Mark the socket of this request as authenticated until the request is answered: its credentials are valid."""
    extensions_of(scope).get(VOUCH, nothing)()


def when_gone(scope: Mapping[str, object], call: Callable[[], None]) -> None:
    """Call this function when the client is gone, in place of any given before; at once if it is gone already."""
    extensions_of(scope).get(WHEN_GONE, _nobody_goes)(call)


def abort_of(scope: Mapping[str, object]) -> Callable[[], None]:
    """The function that ends the socket of this request at once."""
    return extensions_of(scope).get(ABORT, nothing)


def pay(scope: Mapping[str, object], holder: Holder) -> None:
    """Charge the rest of a request or handshake, and what is read from its WebSocket, to this holder alone."""
    for payer in (cast(Payer | None, scope.get(CHARGE)), wire_of(scope)):
        if payer is not None:
            payer.pays(holder)


def nothing() -> None:
    """The callback that does nothing."""


def _nobody_goes(_call: Callable[[], None]) -> None: ...
