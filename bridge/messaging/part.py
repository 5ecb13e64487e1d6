"""The messaging room, assembled: from the bus to listeners, from clients to the bus, and the connections. No rules."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.messaging.connections import Connection, Connections
from bridge.messaging.inbound import Inbound
from bridge.messaging.publisher import Publisher
from bridge.records.part import Records
from bridge.records.refused_clients import RefusedClient
from bridge.sockets.websocket_protocol import WebSocketProtocol
from bridge.system.metrics import counter, counters, gauges
from bridge.system.part import Part
from bridge.tenants.part import Tenants


class Messaging(Part):
    """The data path of one process. `drain_seconds`: how long clients may take to close when the process stops."""

    def __init__(
        self,
        inbound: Inbound,
        connections: Connections,
        broker: Broker,
        tenants: Tenants,
        records: Records,
        drain_seconds: float,
    ) -> None:
        self.inbound: Final = inbound
        self.connections: Final = connections
        self.publisher: Final = Publisher(
            broker.publish,
            broker.addresses,
            tenants.table,
            records.counts,
            records.recorder,
            self._is_absent,
            broker.subscriber.expect,
        )
        self._counts = records.counts
        self._recorder = records.recorder
        self.refused_clients: Final = records.refused_clients
        self._subscriber = broker.subscriber
        self._attendance = broker.attendance
        self._drain_seconds = drain_seconds
        connections.begun.add(self._note_begin)
        connections.ended.add(self._note_end)

    async def stop(self) -> None:
        """Deliver what waits, ask all clients to close, and abort those that have not closed in `drain_seconds`."""
        self.inbound.deliveries.flush()
        await self.connections.close_all(self._drain_seconds)
        await self.connections.cut_off()

    def _is_absent(self, channel: bytes, done: Callable[[bool], None]) -> None:
        """Tell whether nobody listens on a channel for certain: not here, nor in a process that has lost its link."""
        if not self._subscriber.is_up and self.inbound.hub.has(channel):
            done(False)
        else:
            self._attendance.ask(done)

    def _note_begin(self, one: Connection) -> None:
        info = one.info
        self._recorder.arrived(
            info.place.tenant, info.visitor, info.user_agent, info.speaks_as, hears_since=info.hears_since
        )

    def _note_end(self, one: Connection) -> None:
        info, tenant = one.info, one.info.place.tenant
        self._recorder.left(tenant, info.visitor, info.speaks_as)
        if one.refused_with:
            client = RefusedClient.of(tenant, info.visitor, one.refused_with, info.user_agent, info.address)
            self.refused_clients.sent_away(client)

    def metrics(self) -> Iterable[Metric]:
        yield from self._of_connections()
        said = self._counts.messages
        yield counters("bridge_messages", "Messages said by clients.", ("tenant", "protocol"), said)
        yield counter("bridge_deliveries", "Messages written to listeners.", self.inbound.hub.deliveries)
        errors = self._counts.errors + WebSocketProtocol.errors
        yield counter("bridge_errors", "Messages that failed unforeseen.", errors)
        left_out = self.inbound.deliveries.left_out
        yield counter("bridge_messages_left_out", "Messages not delivered, and announced as a GAP.", left_out)

    def _of_connections(self) -> Iterable[Metric]:
        counts, labels = self._counts, ("tenant", "protocol")
        yield gauges("bridge_connections", "Open connections.", labels, self.connections.open_by_tenant())
        words = "Connections accepted."
        yield counters("bridge_connections_accepted", words, ("protocol",), counts.accepted)
        yield counters("bridge_refusals", "Refusals by code.", (*labels, "code"), counts.refusals)
