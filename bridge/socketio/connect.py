"""The last step of joining a namespace, for both languages: an admitted client becomes a connection.

The only place where this room opens a connection. What is refused here is a state of the process, never the client.
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
    """What authentication looks at."""
    return HandshakeRequest(request.query, request.headers, request.address)


async def open_connection(
    preflight: Preflight,
    client: AdmittedClient[Guest],
    request: JoinRequest,
    renderer: Renderer,
    session: NewSession,
    framed: Callable[[bytes], bytes],
) -> None:
    """Subscribe, and be a connection from now on. `framed` makes an event of one text. Raises `Unavailable`."""
    preflight.check_again()
    connection = await client.open(Outbox(request.wire, framed), renderer, session)
    if request.wire.is_over:  # the client went away meanwhile
        connection.lost()
        return
    request.wire.join(connection)
    connection.begin()
