"""Born on one side, heard on the other: who hears a message, by which channels it is said. Once, and never again.

The sender decides by the channels it speaks on; listeners never change theirs. Whoever receives from the bus never puts
anything on it, so that a loop is impossible by construction.

Decided here: a V2 frame with a recipient is refused as `not_connected` only where nobody at all can have heard it, that
is under `group` routing; under `global` all of V2 heard it, as legacy did.
"""

from collections.abc import Callable
from typing import Final, cast

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.tenant_table import TenantTable
from bridge.counts import Counts
from bridge.message import on_the_bus
from bridge.tenants import Tenant
from compat.upgrade import upgrade_text
from legacy_v2 import ports as v2
from v3 import ports as v3
from v3.messages import Content, write
from v3.session import timestamp

Refused = Callable[[str], None]


def channels_from_v3(content: Content, guest: v3.Guest, tenant: Tenant, addresses: Addresses) -> list[bytes]:
    """Where a V3 message is said. `echo` and heartbeats never come here."""
    if content["target"] == "direct":
        return [addresses.client(tenant.name, content["to_id"])]
    if content["target"] == "broadcast":
        return [addresses.platform if guest.grant == "platform" else addresses.broadcast(tenant.name)]
    group = addresses.group(tenant.name, guest.group_id)
    if tenant.v2_routing == "global" and content["msg_type"] != "presence":
        return [group, addresses.everyone_on_v2(tenant.name)]
    return [group]


def channels_from_v2(
    content: Content, guest: v2.Guest, tenant: Tenant, addresses: Addresses
) -> tuple[list[bytes], Content]:
    """Where a V2 frame is said, and its content as V3 hears it: a broadcast without a grant is its group's."""
    everyone = [addresses.everyone_on_v2(tenant.name)]
    wide = everyone if tenant.v2_routing == "global" else []
    if content["target"] == "direct":
        return [addresses.client(tenant.name, content["to_id"]), *wide], content
    if content["target"] == "broadcast" and guest.grant != "none":
        return [addresses.broadcast(tenant.name)], content
    group = addresses.group(tenant.name, guest.group_name)
    if content["target"] == "broadcast":
        return [group, *everyone], cast(Content, {**content, "target": "group"})
    return [group, *wide], content


class Crossing:
    """The bus as both languages' sessions know it."""

    def __init__(
        self, bus: Bus, addresses: Addresses, table: TenantTable, counts: Counts, is_here: Callable[[bytes], bool]
    ) -> None:
        """`is_here` tells whether somebody in this process listens on a channel, and Redis may not know it now."""
        self._bus = bus
        self._addresses = addresses
        self._table = table
        self._counts = counts
        self._is_here: Final = is_here

    def say(
        self, guest: v3.Guest, content: Content, line: bytes, refused: Refused, heard: Callable[[], None] | None = None
    ) -> None:
        """A V3 message, stamped and serialised. `refused` or, where given, `heard` is called once, later."""
        tenant = self._tenant(guest.tenant)
        self._counts.messages[tenant.name, "v3"] += 1
        channels = channels_from_v3(content, guest, tenant, self._addresses)
        self._bus.publish(channels, line, self._receipt(channels, refused, heard, to_one=content["target"] == "direct"))

    def say_frame(self, guest: v2.Guest, text: str, sent_at: int, refused: Refused) -> None:
        """A V2 frame, verbatim to V2 and upgraded for V3."""
        tenant = self._tenant(guest.tenant)
        upgraded = upgrade_text(text, tenant.names, tenant.dialect)
        self._counts.messages[tenant.name, "v2"] += 1
        suppressed = upgraded.content["msg_type"] == "heartbeat"
        outcome = "suppressed" if suppressed else upgraded.outcome
        self._counts.conversions[tenant.name, "v2_to_v3", outcome] += 1
        channels, content = channels_from_v2(upgraded.content, guest, tenant, self._addresses)
        line = write(content, guest.client_name, guest.group_name, timestamp(sent_at))
        alone = content["target"] == "direct" and len(channels) == 1
        self._bus.publish(channels, on_the_bus(line, text), self._receipt(channels, refused, to_one=alone))

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
