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

Guest = TypeVar("Guest")


def handshake_request(request: JoinRequest) -> HandshakeRequest:
    """The request in the form that authentication takes."""
    return HandshakeRequest(request.query, request.headers, request.address)


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
