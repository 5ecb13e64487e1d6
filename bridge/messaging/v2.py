"""The V2 half of the data path: publishes V2 frames on the bus, and renders bus messages for listeners on V2.

This module is deleted together with V2. It decides nothing about who may send, and never awaits.

Decided here:

- A V2 frame to one recipient is refused as `not_connected` only under `group` routing, where nobody can have received
  it. Under `global` routing all V2 clients of the tenant receive it, as the legacy server did it.
- A V2 frame that looks like a message of the bridge itself is refused (see `legacy_v2/frames.py`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage, said
from bridge.messaging.publisher import Publisher
from bridge.messaging.routing import channels_from_v2
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.sockets.framing import WEBSOCKET, Framing
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from compat.downgrade import hear, is_spoken
from compat.upgrade import outcome_of, upgrade_text
from legacy_v2 import frames
from legacy_v2 import ports as v2
from legacy_v2.frames import speaks_as_the_bridge
from v3.messages import timestamp

Refused = Callable[[str], None]
Heard = Callable[[], None]


def _tell(refused: Refused, heard: Heard | None, to_one: bool, heard_by: int | None) -> None:  # noqa: FBT001
    if heard_by is None:
        refused("bus_down")
    elif heard_by == 0 and to_one:
        refused("not_connected")
    elif heard is not None:
        heard()


class V2Publisher:
    """The port `Bus` of V2's sessions."""

    def __init__(
        self,
        publisher: Publisher,
        addresses: Addresses,
        table: TenantTable,
        counts: Counts,
        recorder: Recorder,
        frame_read: Callable[[str, object], None],
    ) -> None:
        """`frame_read` is called with the tenant's name and the JSON value of each frame that was read."""
        self._publish: Final = publisher.publish
        self._addresses = addresses
        self._table = table
        self._counts = counts
        self._recorder = recorder
        self._frame_read: Final = frame_read

    def say_frame(self, guest: v2.Guest, text: str, sent_at: int, refused: Refused, heard: Heard | None = None) -> None:
        """Publish a V2 frame: unchanged for V2, converted for V3. `sent_at`: microseconds since the epoch.

        Later `refused` is called once with a code, or `heard`, if given, when it was published.
        """
        tenant = self._table.of(guest.tenant)
        upgraded = upgrade_text(text, tenant.names, tenant.dialect)
        if speaks_as_the_bridge(text, upgraded.frame):
            refused("not_allowed")
            return
        self._counts.messages[tenant.name, "v2"] += 1
        self._recorder.spoke("v2", guest, upgraded.content)
        self._frame_read(tenant.name, upgraded.frame)
        self._counts.conversions[tenant.name, "v2_to_v3", outcome_of(upgraded)] += 1
        channels, content = channels_from_v2(upgraded.content, guest, tenant, self._addresses)
        message = said(content, guest.client_name, guest.group_name, timestamp(sent_at), text)
        to_one = content["target"] == "direct" and len(channels) == 1
        self._publish(channels, message, partial(_tell, refused, heard, to_one), to_one=to_one)


class V2Renderer:
    """Renders for the V2 listeners of one tenant, with the tenant's dialect and id map as they are now.

    A message from V2 is rendered as its exact text, a message from V3 is converted to V2. What V2 cannot express is
    left out and counted as `suppressed`.
    """

    def __init__(self, tenant: str, table: TenantTable, counts: Counts, framing: Framing = WEBSOCKET) -> None:
        self._tenant: Final = tenant
        self._table = table
        self._counts = counts
        self._framing: Final = framing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, V2Renderer) and (other._tenant, other._framing) == (self._tenant, self._framing)

    def __hash__(self) -> int:
        return hash((self._tenant, self._framing))

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        tenant = self._table.of(self._tenant)
        if len(batch) == 1:
            return self._frame(batch[0], tenant) or b""
        framed = [frame for message in batch if (frame := self._frame(message, tenant)) is not None]
        return self._framing.between.join(framed)

    def _frame(self, message: BusMessage, tenant: Tenant) -> bytes | None:
        if message.v2_text is not None:
            return self._framing.text(message.v2_text)
        said = message.said_to_v2
        if said is None or said[0] is not tenant:  # else it has come by another channel already
            said = message.said_to_v2 = tenant, self._converted(message, tenant)
        return None if said[1] is None else self._framing.json(said[1])

    def _converted(self, message: BusMessage, tenant: Tenant) -> bytes | None:
        """The message in V2's words; `None` if V2 cannot express it."""
        content, heard = message.content, message.heard
        outcome = "exact" if is_spoken(content) else "suppressed"
        self._counts.conversions[self._tenant, "v3_to_v2", outcome] += 1
        if outcome == "suppressed":
            return None
        from_id, group_id, sent_at = heard.from_id or "", heard.group_id or "", heard.sent_at or ""
        frame = hear(content, from_id, group_id, sent_at, tenant.names, tenant.dialect)
        return frames.write_bytes(frame)
