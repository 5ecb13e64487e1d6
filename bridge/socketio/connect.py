"""The last step of connecting to a namespace, for V2 and V3: makes the connection of an admitted client.

Only this module opens connections for Socket.IO. It refuses a client only because of the state of the process (it
stops, or Redis is down), never because of who the client is.
"""

from collections.abc import Callable
from typing import TypeVar

from bridge.handshake.connect import AdmittedClient, NewSession
from bridge.handshake.preflight import Preflight
from bridge.handshake.request import HandshakeRequest
from bridge.messaging.hub import Renderer
from bridge.socketio.ports import JoinRequest
from bridge.sockets.outbox import Outbox
from bridge.sockets.service_unavailable import retry_after_seconds

Guest = TypeVar("Guest")


def handshake_request(request: JoinRequest) -> HandshakeRequest:
    """The request in the form that authentication takes."""
    return HandshakeRequest(request.query, request.headers, request.address)


def when_to_return() -> dict[str, int]:
    """What a client is told that cannot be served now, as `Retry-After` tells it at the other doors."""
    return {"retry_after_ms": 1_000 * retry_after_seconds()}


async def open_connection(
    preflight: Preflight,
    client: AdmittedClient[Guest],
    request: JoinRequest,
    renderer: Renderer,
    session: NewSession,
    framed: Callable[[bytes], bytes],
) -> None:
    """Subscribe, and begin the connection. `framed` makes one text an EVENT packet. Raises `Unavailable`."""
    preflight.check_again()
    connection = await client.open(Outbox(request.wire, framed), renderer, session)
    if request.wire.is_over:  # the client has gone away during the subscription
        connection.lost()
        return
    request.wire.join(connection)
    connection.begin()
