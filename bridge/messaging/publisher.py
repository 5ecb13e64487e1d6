"""What a client says, on its way to the bus: on which channels, and what its sender is told of it. V2's half: `v2.py`.

The sender decides by the channels on which it publishes; listeners never change theirs. Whoever receives from the bus
never publishes what it received, so that no message can go round in a loop.
"""

from collections.abc import Callable
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.message import BusMessage, said
from bridge.messaging.routing import channels_from_v3
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from v3 import ports as v3
from v3.messages import Content

Refused = Callable[[str], None]
Heard = Callable[[], None]


class Publisher:
    """The bus as the sessions of V3 know it."""

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        table: TenantTable,
        counts: Counts,
        recorder: Recorder,
        is_here: Callable[[bytes], bool],
        expect: Callable[[bytes, BusMessage], None],
    ) -> None:
        """`is_here` tells whether somebody in this process listens on a channel, and Redis may not know it now.

        `expect` is told what is about to be published, so that this process need not read it when it comes back.
        """
        self._bus = bus
        self._addresses = addresses
        self._table = table
        self.counts: Final = counts
        self._recorder = recorder
        self._is_here: Final = is_here
        self._expect: Final = expect

    def say(
        self, guest: v3.Guest, content: Content, sent_at: str, refused: Refused, heard: Heard | None = None
    ) -> None:
        """A V3 message, stamped. `refused` or, where given, `heard` is called once, later."""
        tenant = self._table.get(guest.tenant) or Tenant(guest.tenant)
        self.counts.messages[tenant.name, "v3"] += 1
        self._recorder.spoke("v3", guest, content)
        channels = channels_from_v3(content, guest, tenant, self._addresses)
        message = said(content, guest.client_id, guest.group_id, sent_at)
        self.publish(channels, message, refused, heard, to_one=content["target"] == "direct")

    def publish(
        self, channels: list[bytes], message: BusMessage, refused: Refused, heard: Heard | None, *, to_one: bool
    ) -> None:
        """Put a message on the bus. `to_one`: it is refused as `not_connected` where nobody hears it."""

        def receipt(heard_by: int | None) -> None:
            if heard_by is None or (to_one and heard_by == 0 and self._is_here(channels[0])):
                refused("bus_down")
            elif to_one and heard_by == 0:
                refused("not_connected")
            elif heard is not None:
                heard()

        data = message.data
        self._expect(data, message)
        self._bus.publish(channels, data, receipt)
