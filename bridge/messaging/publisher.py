"""Born on one side, heard on the other: who hears a message, by which channels it is said. Once, and never again.

The sender decides by the channels it speaks on; listeners never change theirs. Whoever receives from the bus never puts
anything on it, so that a loop is impossible by construction.

Decided here: a V2 frame with a recipient is refused as `not_connected` only where nobody at all can have heard it, that
is under `group` routing; under `global` all of V2 heard it, as legacy did. A V2 frame that could be taken for the
bridge's own word is refused (see `legacy_v2/frames.py`).
"""

from collections.abc import Callable
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.message import BusMessage, said
from bridge.messaging.routing import channels_from_v2, channels_from_v3
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.system.observers import Observers
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from compat.upgrade import upgrade_text
from legacy_v2 import ports as v2
from legacy_v2.frames import speaks_as_the_bridge
from v3 import ports as v3
from v3.messages import Content
from v3.session import timestamp

Refused = Callable[[str], None]


class Crossing:
    """The bus as both languages' sessions know it."""

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
        self._counts = counts
        self._recorder = recorder
        self._is_here: Final = is_here
        self._expect: Final = expect
        self.frame_read: Final = Observers[[str, object]]()
        """Told of a tenant and of each V2 frame that was read: a JSON value."""

    def say(
        self,
        guest: v3.Guest,
        content: Content,
        sent_at: str,
        refused: Refused,
        heard: Callable[[], None] | None = None,
    ) -> None:
        """A V3 message, stamped. `refused` or, where given, `heard` is called once, later."""
        tenant = self._tenant(guest.tenant)
        self._counts.messages[tenant.name, "v3"] += 1
        self._recorder.spoke("v3", guest, content)
        channels = channels_from_v3(content, guest, tenant, self._addresses)
        message = said(content, guest.client_id, guest.group_id, sent_at)
        to_one = content["target"] == "direct"
        self._publish(channels, message, self._receipt(channels, refused, heard, to_one=to_one))

    def say_frame(
        self,
        guest: v2.Guest,
        text: str,
        sent_at: int,
        refused: Refused,
        heard: Callable[[], None] | None = None,
    ) -> None:
        """A V2 frame, verbatim to V2 and upgraded for V3."""
        tenant = self._tenant(guest.tenant)
        upgraded = upgrade_text(text, tenant.names, tenant.dialect)
        if speaks_as_the_bridge(text, upgraded.frame):
            refused("not_allowed")
            return
        self._counts.messages[tenant.name, "v2"] += 1
        self._recorder.spoke("v2", guest, upgraded.content)
        self.frame_read(tenant.name, upgraded.frame)
        suppressed = upgraded.content["msg_type"] == "heartbeat"
        outcome = "suppressed" if suppressed else upgraded.outcome
        self._counts.conversions[tenant.name, "v2_to_v3", outcome] += 1
        channels, content = channels_from_v2(upgraded.content, guest, tenant, self._addresses)
        message = said(content, guest.client_name, guest.group_name, timestamp(sent_at), text)
        alone = content["target"] == "direct" and len(channels) == 1
        self._publish(channels, message, self._receipt(channels, refused, heard, to_one=alone))

    def _publish(self, channels: list[bytes], message: BusMessage, receipt: Callable[[int | None], None]) -> None:
        data = message.data
        self._expect(data, message)
        self._bus.publish(channels, data, receipt)

    def _tenant(self, name: str) -> Tenant:
        return self._table.get(name) or Tenant(name)

    def _receipt(
        self, channels: list[bytes], refused: Refused, heard: Callable[[], None] | None = None, *, to_one: bool
    ) -> Callable[[int | None], None]:
        def receipt(heard_by: int | None) -> None:
            if heard_by is None or (to_one and heard_by == 0 and self._is_here(channels[0])):
                refused("bus_down")
            elif to_one and heard_by == 0:
                refused("not_connected")
            elif heard is not None:
                heard()

        return receipt
