"""What listeners are told when messages may have been missed: from when to when. Pure."""

from bridge.broker.message import BusMessage, said
from legacy_v2.frames import BRIDGE, write
from v3.messages import SERVER_ID, Content


def gap_message(missed_from: str, missed_to: str) -> BusMessage:
    """`cmd` `GAP` for both languages; the times are ISO 8601."""
    payload = {"from": missed_from, "to": missed_to}
    content: Content = {"msg_type": "cmd", "target": "echo", "cmd": "GAP", "payload": payload}
    frame = {"type": "cmd", "cmd": "GAP", "payload": payload, "client_id": SERVER_ID, BRIDGE: {"notice": "gap"}}
    return said(content, SERVER_ID, "", missed_to, write(frame))
