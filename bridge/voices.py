"""How each kind of listener is spoken to: a batch of bus messages as WebSocket frames. Rendered once per batch.

V3 listeners get the line's own bytes. V2 listeners get the exact V2 text where there is one, else the message in the
tenant's V2 words. What a side has no word for is suppressed, and counted.
"""

from collections.abc import Sequence
from typing import Final

from bridge.broker.tenant_table import TenantTable
from bridge.counts import Counts
from bridge.message import BusMessage
from bridge.sockets.framing import text_frame
from bridge.tenants import Tenant
from compat.downgrade import hear, is_spoken
from legacy_v2.frames import write


class V3Voice:
    """Everyone on V3, of whatever tenant: they all hear the same bytes. A V2 heartbeat is not for them."""

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        return b"".join(
            text_frame(message.line)
            for message in batch
            if message.v2_text is None or message.heard["msg_type"] != "heartbeat"
        )


class V2Voice:
    """The V2 listeners of one tenant, in its dialect and with its names as they are now."""

    def __init__(self, tenant: str, table: TenantTable, counts: Counts) -> None:
        self._tenant: Final = tenant
        self._table = table
        self._counts = counts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, V2Voice) and other._tenant == self._tenant

    def __hash__(self) -> int:
        return hash(self._tenant)

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        tenant = self._table.get(self._tenant) or Tenant(self._tenant)
        return b"".join(self._frame(message, tenant) for message in batch)

    def _frame(self, message: BusMessage, tenant: Tenant) -> bytes:
        """Made once for a message, though several channels bring it; empty where V2 has no word for it."""
        if message.v2_text is not None:
            return text_frame(message.v2_text)
        said = message.said_to_v2
        if said is None or said[0] is not tenant:
            said = message.said_to_v2 = tenant, self._converted(message, tenant)
        return said[1]

    def _converted(self, message: BusMessage, tenant: Tenant) -> bytes:
        content, heard = message.content, message.heard
        outcome = "exact" if is_spoken(content) else "suppressed"
        self._counts.conversions[self._tenant, "v3_to_v2", outcome] += 1
        if outcome == "suppressed":
            return b""
        from_id, sent_at = heard.get("from_id") or "", heard.get("sent_at") or ""
        frame = hear(content, from_id, message.group_id, sent_at, tenant.names, tenant.dialect)
        return text_frame(write(frame).encode())
