"""The gates for Socket.IO: the same admission as at the raw WebSocket, for clients that knock at a namespace.

What is answered in HTTP was answered when the Engine.IO session began; here every refusal is the language's own.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from bridge.handshake.connect import Arrival, Brought, Gate, Hearing, MakeSession
from bridge.handshake.v3 import V2Gate, V3Gate
from bridge.messaging.hub import Voice
from bridge.messaging.renderers import V2_SOCKETIO, V3_SOCKETIO, V2Voice, V3Voice, v2_event, v3_event
from bridge.records.counters import Counts
from bridge.socketio.session import Knock
from bridge.sockets.outbox import Outbox
from bridge.tenants.table import TenantTable
from legacy_v2 import ports as v2
from v3 import ports as v3


class V3SocketIoGate:
    """The way in to V3."""

    def __init__(self, gate: Gate, v3_gate: V3Gate) -> None:
        self._gate = gate
        self._v3_gate = v3_gate
        self._voice = V3Voice(V3_SOCKETIO)

    async def admit(self, knock: Knock, group_id: str, client_id: str) -> v3.Guest:
        guest, knock.arrival = await self._v3_gate.arrive(_brought(knock), group_id, client_id, "socketio")
        return guest

    async def open(self, knock: Knock, _guest: v3.Guest, session: Callable[..., v3.Receiver]) -> None:
        try:
            await _open(self._gate, knock, self._voice, session, v3_event)
        except _NotNow as not_now:
            raise v3.Refused(not_now.code) from None


class V2SocketIoGate:
    """The way in to V2."""

    def __init__(self, gate: Gate, v2_gate: V2Gate, table: TenantTable, counts: Counts) -> None:
        self._gate = gate
        self._v2_gate = v2_gate
        self._table = table
        self._counts = counts

    async def admit(self, knock: Knock, group_id: str | None, client_id: str | None) -> v2.Guest:
        guest, knock.arrival = await self._v2_gate.arrive(_brought(knock), group_id, client_id, "socketio")
        return guest

    async def open(self, knock: Knock, guest: v2.Guest, session: Callable[..., v2.Receiver]) -> None:
        voice = V2Voice(guest.tenant, self._table, self._counts, V2_SOCKETIO)
        try:
            await _open(self._gate, knock, voice, session, v2_event)
        except _NotNow as not_now:
            raise v2.Refused(not_now.code) from None


def _brought(knock: Knock) -> Brought:
    return Brought(knock.query, knock.headers, knock.session.address)


class _NotNow(Exception):
    """Nobody is let in at this moment."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def _open(
    gate: Gate, knock: Knock, voice: Voice, session: Callable[..., Any], framed: Callable[[bytes], bytes]
) -> None:
    """Subscribe, and be a connection from now on. Raises `_NotNow`."""
    arrival: Arrival = knock.arrival
    make: MakeSession = session
    hearing = await _subscribe(gate, arrival)
    if knock.session.ended_at is not None:  # the client went away meanwhile
        gate.give_back(arrival, hearing)
        return
    connection = gate.connect(arrival, Outbox(knock.wire, framed), voice, hearing, make)
    connection.over.add_done_callback(partial(_give_back, gate, arrival, hearing))
    knock.session.enter(knock.namespace, connection)
    connection.begin()


async def _subscribe(gate: Gate, arrival: Arrival) -> Hearing:
    """The session may be older than what has befallen this process since."""
    if gate.connections.is_closing:
        raise _NotNow("going_away")
    if not gate.reception.serves_now:
        raise _NotNow("bus_down")
    if not gate.has_room_for(arrival):
        raise _NotNow("overloaded")
    try:
        return await gate.subscribe(arrival)
    except TimeoutError:
        raise _NotNow("bus_down") from None


def _give_back(gate: Gate, arrival: Arrival, hearing: Hearing, _over: "asyncio.Future[None]") -> None:
    gate.give_back(arrival, hearing)
