"""Builds the GAP message, which tells listeners that they may have missed messages, and from when to when. Pure."""

from bridge.broker.message import BusMessage, said
from legacy_v2.frames import BRIDGE, write  # V2
from v3.messages import SERVER_ID, Content


def gap_message(missed_from: str, missed_to: str) -> BusMessage:
    """A bus message with `cmd` `GAP`, in the form of V3 and of V2. Both times are ISO 8601."""
    payload = {"from": missed_from, "to": missed_to}
    content: Content = {"msg_type": "cmd", "target": "echo", "cmd": "GAP", "payload": payload}
    frame = {"type": "cmd", "cmd": "GAP", "payload": payload, "client_id": SERVER_ID, BRIDGE: {"notice": "gap"}}  # V2
    return said(
        content,
        SERVER_ID,
        "",
        missed_to,
        write(frame),  # V2
    )


def is_gap(message: BusMessage) -> bool:
    """Whether a message says that something may be missing."""
    return message.target == "echo" and message.heard.cmd == "GAP"
