"""Publishes the messages of V3 clients on the bus, and tells each sender the result. V2's half is in `v2.py`.

Who receives a message follows from the channels that it is published on; listeners never change their channels. What
arrives from the bus is never published again, so that no message can go round in a loop.
"""

from collections.abc import Callable
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.history import Publish
from bridge.broker.message import BusMessage, said
from bridge.messaging.routing import channels_from_v3
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.tenants.table import TenantTable
from v3 import ports as v3
from v3.messages import Content

Refused = Callable[[str], None]
Heard = Callable[[], None]


class Publisher:
    """The port `Bus` of V3's sessions."""

    def __init__(
        self,
        publish: Publish,
        addresses: Addresses,
        table: TenantTable,
        counts: Counts,
        recorder: Recorder,
        is_absent: Callable[[bytes, Callable[[bool], None]], None],
        expect: Callable[[bytes, BusMessage], None],
    ) -> None:
        """`is_absent` tells its callback whether it is certain that nobody who listens on a channel is connected.

        `expect` is called with the bytes and the message before they are published, so that this process need not
        parse its own message when Redis sends it back.
        """
        self._publish = publish
        self._addresses = addresses
        self._table = table
        self.counts: Final = counts
        self._recorder = recorder
        self._is_absent: Final = is_absent
        self._expect: Final = expect

    def say(self, guest: v3.Guest, content: Content, sent_at: str, refused: Refused, heard: Heard) -> None:
        """Publish a V3 message sent at `sent_at` (ISO 8601).

        Later `refused` is called once with a code, or `heard` once when it was published.
        """
        tenant = self._table.of(guest.tenant)
        self.counts.messages[tenant.name, "v3"] += 1
        self._recorder.spoke("v3", guest, content)
        channels = channels_from_v3(content, guest, tenant, self._addresses)
        message = said(content, guest.client_id, guest.group_id, sent_at)
        self.publish(channels, message, refused, heard, to_one=content["target"] == "direct")

    def publish(
        self, channels: list[bytes], message: BusMessage, refused: Refused, heard: Heard | None, *, to_one: bool
    ) -> None:
        """Publish a message on these channels. `to_one`: refuse it as `not_connected` when no process receives it.

        It is refused as `bus_down` when Redis cannot be reached, or when its recipient may be connected to a process
        whose subscription is lost at the moment.
        """

        def receipt(heard_by: int | None) -> None:
            if heard_by is None:
                refused("bus_down")
            elif to_one and heard_by == 0:
                self._is_absent(channels[0], lambda is_so: refused("not_connected" if is_so else "bus_down"))
            elif heard is not None:
                heard()

        data = message.data
        self._expect(data, message)
        self._publish(channels, data, receipt)
