"""How each kind of listener is spoken to: a batch of bus messages, ready to be written. Rendered once per batch.

V3 listeners get the line's own bytes. V2 listeners get the exact V2 text where there is one, else the message in the
tenant's V2 words. What a side has no word for is suppressed, and counted. How a text is framed is the transport's.
"""

from collections.abc import Sequence
from typing import Final

from bridge.broker.message import BusMessage
from bridge.records.counters import Counts
from bridge.sockets.framing import WEBSOCKET, Framing
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from compat.downgrade import hear, is_spoken
from legacy_v2 import frames


class V3Voice:
    """Everyone on V3, of whatever tenant: they all hear the same bytes. A V2 heartbeat is not for them."""

    def __init__(self, framing: Framing = WEBSOCKET) -> None:
        self._framing: Final = framing

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        frame = self._framing.json
        return self._framing.between.join(
            frame(message.line)
            for message in batch
            if message.v2_text is None or message.heard["msg_type"] != "heartbeat"
        )


class V2Voice:
    """The V2 listeners of one tenant, in its dialect and with its names as they are now."""

    def __init__(self, tenant: str, table: TenantTable, counts: Counts, framing: Framing = WEBSOCKET) -> None:
        self._tenant: Final = tenant
        self._table = table
        self._counts = counts
        self._framing: Final = framing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, V2Voice) and (other._tenant, other._framing) == (self._tenant, self._framing)

    def __hash__(self) -> int:
        return hash((self._tenant, self._framing))

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        tenant = self._table.get(self._tenant) or Tenant(self._tenant)
        frames_of_batch = (self._frame(message, tenant) for message in batch)
        return self._framing.between.join(frame for frame in frames_of_batch if frame is not None)

    def _frame(self, message: BusMessage, tenant: Tenant) -> bytes | None:
        if message.v2_text is not None:
            return self._framing.text(message.v2_text)
        text = self._in_v2_words(message, tenant)
        return None if text is None else self._framing.json(text)

    def _in_v2_words(self, message: BusMessage, tenant: Tenant) -> bytes | None:
        """Made once for a message, though several channels bring it; `None` where V2 has no word for it."""
        said = message.said_to_v2
        if said is None or said[0] is not tenant:
            said = message.said_to_v2 = tenant, self._converted(message, tenant)
        return said[1]

    def _converted(self, message: BusMessage, tenant: Tenant) -> bytes | None:
        content, heard = message.content, message.heard
        outcome = "exact" if is_spoken(content) else "suppressed"
        self._counts.conversions[self._tenant, "v3_to_v2", outcome] += 1
        if outcome == "suppressed":
            return None
        from_id, sent_at = heard.get("from_id") or "", heard.get("sent_at") or ""
        frame = hear(content, from_id, message.group_id, sent_at, tenant.names, tenant.dialect)
        return frames.write(frame).encode()
