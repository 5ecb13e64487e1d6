"""The closed list of V2 refusals: a code, a close code and a sentence for each. Pure: it never decides when to refuse.

What the legacy server accepted is not refused, apart from the reserved key `bridge`. The codes are for handshakes,
limits, a recipient that is not connected, and a bus that is down. `close` is `None` if the connection stays open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from legacy_v2.frames import BRIDGE, write_bytes

FLOODED: Final = 4429
"""Close code of a connection whose messages were refused as `rate_limited` for ten seconds without a pause."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse. `sentence` says what the client should do."""

    code: str
    close: int | None
    sentence: str


REFUSALS: Final[Mapping[str, Refusal]] = {
    refusal.code: refusal
    for refusal in (
        Refusal("invalid_id", 4400, "Use group and client ids of 1 to 128 characters in the path."),
        Refusal(
            "not_connected", None, "Nobody with this recipient id is connected; try again when the client is there."
        ),
        Refusal(
            "not_allowed", None, "Use another key than `bridge` for your own data: it is how the bridge speaks itself."
        ),
        Refusal("unauthenticated", 4401, "Connect with a valid api_key, and a valid jwt where one is used."),
        Refusal("token_expired", 4401, "The jwt has expired: fetch a new one and connect again."),
        Refusal("forbidden", 4403, "This key or token may not use this tenant or client id."),
        Refusal("keys_unavailable", 4503, "The keys that check the jwt cannot be had now: come back in a moment."),
        Refusal("message_too_big", 1009, "Send smaller messages; the limit is max_message_bytes."),
        Refusal("binary_not_supported", 1003, "Send text frames: binary frames are not supported."),
        Refusal("v2_retired", 4410, "V2 is retired for this tenant: connect to the successor."),
        Refusal("moved_to_v3", 4426, "This client has moved to V3: connect to the successor."),
        Refusal("rate_limited", None, "Send more slowly; what exceeds the rate is not delivered."),
        Refusal("slow_consumer", 4508, "Messages were not read fast enough; connect again and read faster."),
        Refusal("overloaded", 4503, "This process serves as many as it can: connect again after a pause."),
        Refusal("going_away", 1012, "The server is restarting: connect again after retry_after_ms."),
        Refusal(
            "bus_down", None, "The message may not have been delivered: Redis cannot be reached. Send it again later."
        ),
    )
}
MOVED: Final = frozenset({"v2_retired", "moved_to_v3"})


def refusal_frame(refusal: Refusal, **extra: object) -> bytes:
    """The refusal as one text frame, UTF-8; `extra` as in `refusal_value`."""
    return write_bytes(refusal_value(refusal, **extra))


def refusal_value(refusal: Refusal, **extra: object) -> dict[str, object]:
    """The refusal as JSON: `{"bridge": {"error": code, "msg": sentence, **extra}}`.

    A client that is sent to V3 also gets `notice`, the code again. `extra` then holds its `successor`, a V3 path.
    """
    said: dict[str, object] = {"error": refusal.code, "msg": refusal.sentence}
    if refusal.code in MOVED:
        said["notice"] = refusal.code
    return {BRIDGE: said | extra}
