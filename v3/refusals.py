"""The closed list of V3 refusals: a code, a close code and a sentence for each. Pure: it never decides when to refuse.

Close codes 4000-4499 mean "connect again only after a change", 4500-4999 "connect again after a pause". `close` is
`None` if one message is refused and the connection stays open. `retry`: whether the same request may succeed later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from v3.messages import SERVER_ID, Content, Problem, write

FLOODED: Final = 4429
"""Close code of a connection whose messages were refused as `rate_limited` for ten seconds without a pause."""
HEARD_OUT: Final = frozenset({"going_away", "stage_legacy", "token_expired"})
"""Codes that close politely: what the client has sent before it could know of the close is still said."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse. `sentence` says what the client should do; `http_status` is for HTTP requests."""

    code: str
    close: int | None
    retry: bool
    http_status: int
    sentence: str


REFUSALS: Final[Mapping[str, Refusal]] = {
    refusal.code: refusal
    for refusal in (
        Refusal(
            "invalid_id", 4400, False, 400, "Use Vision IDs in the path: 1 to 64 of A-Z a-z 0-9 _ -, not all digits."
        ),
        Refusal(
            "invalid_message",
            None,
            False,
            400,
            "Correct the fields named in payload.detail and send the message again.",
        ),
        Refusal(
            "invalid_json", None, False, 400, "Send one JSON object per frame; this one could not be read as JSON."
        ),
        Refusal(
            "not_connected",
            None,
            True,
            404,
            "Nobody with this to_id is connected; try again when the client is present.",
        ),
        Refusal("not_allowed", None, False, 403, "This key may not broadcast; ask the operator for a broadcast grant."),
        Refusal(
            "unauthenticated", 4401, False, 401, "Connect with a valid api_key, and a valid jwt where one is used."
        ),
        Refusal("token_expired", 4401, False, 401, "The jwt has expired: fetch a new one and connect again."),
        Refusal("forbidden", 4403, False, 403, "This key or token may not use this tenant or client id."),
        Refusal(
            "keys_unavailable",
            4503,
            True,
            503,
            "The keys that check the jwt cannot be had now: come back in a moment.",
        ),
        Refusal(
            "stage_legacy", 4404, False, 403, "This tenant is not on V3 yet: connect with V2, or ask the operator."
        ),
        Refusal("message_too_big", 1009, False, 413, "Send smaller messages; the limit is max_message_bytes."),
        Refusal("binary_not_supported", 1003, False, 400, "Send text frames: V3 speaks JSON."),
        Refusal("rate_limited", None, True, 429, "Send more slowly; what exceeds the rate is not delivered."),
        Refusal("slow_consumer", 4508, True, 503, "Messages were not read fast enough; connect again and read faster."),
        Refusal("overloaded", 4503, True, 503, "This process serves as many as it can: connect again after a pause."),
        Refusal("going_away", 1012, True, 503, "The server is restarting: connect again after payload.retry_after_ms."),
        Refusal(
            "bus_down",
            None,
            True,
            503,
            "The message may not have been delivered: Redis cannot be reached. Send it again later.",
        ),
    )
}


def error(
    refusal: Refusal,
    group_id: str,
    sent_at: str,
    *,
    problems: Iterable[Problem] = (),
    refused: Mapping[str, object] | None = None,
    extra: Mapping[str, object] | None = None,
) -> bytes:
    """The ERROR for a refusal: a valid `WS_Message_V3`, one line of UTF-8. `extra`: more members of its payload."""
    payload = payload_of(refusal, problems, refused) | dict(extra or {})
    content: Content = {
        "msg_type": "cmd",
        "target": "echo",
        "cmd": "ERROR",
        "msg": refusal.sentence,
        "payload": payload,
    }
    return write(content, SERVER_ID, group_id, sent_at)


def payload_of(
    refusal: Refusal, problems: Iterable[Problem] = (), refused: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The part of a refusal for programs: `{"code", "retry", "detail": problems, "refused"}`."""
    return {"code": refusal.code, "retry": refusal.retry, "detail": list(problems), "refused": dict(refused or {})}


def unheard(content: Content, heard_by: int | None) -> str | None:
    """The code with which a message is refused that so many processes have received; `None` if it is not refused.

    `heard_by` is `None` if it is not known whether Redis has taken the message.
    """
    if heard_by is None:
        return "bus_down"
    return "not_connected" if heard_by == 0 and content["target"] == "direct" else None
