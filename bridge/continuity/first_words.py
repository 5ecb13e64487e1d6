"""What a client that comes back is sent before anything new: what it missed, and whether that is everything. Pure."""

from typing import Any, NamedTuple

from bridge.broker.message import BusMessage, said
from bridge.continuity.resumption import Resumed
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Renderer
from v3.messages import SERVER_ID, Content


class Words(NamedTuple):
    """Whether a client that comes back is sent all that it missed, and the framed bytes for it."""

    is_whole: bool
    blob: bytes


def asked_words(resumed: Resumed, renderer: Renderer, group_id: str, sent_at: str, most_bytes: int) -> Words:
    """For one V3 client that has asked.

    What is more than `most_bytes` is not sent: then it must fetch anew.
    """
    heard = [message for message in resumed.messages if renderer.render([message])]
    payload = {"complete": resumed.is_complete, "missed": len(heard), "cursor": resumed.cursor}
    blob = renderer.render([*heard, _resumed_message(payload, group_id, sent_at)])
    if len(blob) <= most_bytes:
        return Words(resumed.is_complete, blob)
    return Words(
        False, renderer.render([_resumed_message({**payload, "complete": False, "missed": 0}, group_id, sent_at)])
    )


def unasked_words(resumed: Resumed, renderer: Renderer, earliest: str, sent_at: str, most_bytes: int) -> Words:
    """For one client that has not asked: what it missed, or a GAP where that is not known.

    `earliest`: since when it may have missed something, if that is not known of it.
    """
    blob = renderer.render(resumed.messages)
    is_whole = resumed.is_complete and len(blob) <= most_bytes
    return Words(is_whole, blob if is_whole else renderer.render([gap_message(resumed.since or earliest, sent_at)]))


def _resumed_message(payload: dict[str, Any], group_id: str, sent_at: str) -> BusMessage:
    content: Content = {"msg_type": "cmd", "target": "echo", "cmd": "RESUMED", "payload": payload}
    return said(content, SERVER_ID, group_id, sent_at)
