"""How a client that has been admitted to a namespace becomes a connection: what both languages share.

The only place where this room opens a connection. What is refused here is a state of the process, never the client.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from bridge.handshake.connect import Arrival, Brought, Gate, Hearing, MakeSession
from bridge.messaging.hub import Voice
from bridge.socketio.ports import JoinRequest
from bridge.sockets.outbox import Outbox


class NotNow(Exception):
    """Nobody is let in at this moment; `code` is of the closed list of refusals."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def brought(request: JoinRequest) -> Brought:
    """What admission looks at."""
    return Brought(request.query, request.headers, request.address)


async def open_connection(
    gate: Gate,
    request: JoinRequest,
    arrival: Arrival,
    voice: Voice,
    make: MakeSession,
    framed: Callable[[bytes], bytes],
) -> None:
    """Subscribe, and be a connection from now on. `framed` makes an event of one text. Raises `NotNow`."""
    hearing = await _subscribe(gate, arrival)
    if request.wire.is_over:  # the client went away meanwhile
        gate.give_back(arrival, hearing)
        return
    connection = gate.connect(arrival, Outbox(request.wire, framed), voice, hearing, make)
    connection.over.add_done_callback(partial(_give_back, gate, arrival, hearing))
    request.wire.join(connection)
    connection.begin()


async def _subscribe(gate: Gate, arrival: Arrival) -> Hearing:
    """The session may be older than what has befallen this process since."""
    if gate.connections.is_closing:
        raise NotNow("going_away")
    if not gate.reception.serves_now:
        raise NotNow("bus_down")
    if not gate.has_room_for(arrival):
        raise NotNow("overloaded")
    try:
        return await gate.subscribe(arrival)
    except TimeoutError:
        raise NotNow("bus_down") from None


def _give_back(gate: Gate, arrival: Arrival, hearing: Hearing, _over: "asyncio.Future[None]") -> None:
    gate.give_back(arrival, hearing)
