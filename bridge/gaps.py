"""What listeners are told when messages may have been missed: from when to when. Pure."""

from bridge.message import BusMessage
from legacy_v2.frames import BRIDGE
from legacy_v2.frames import write as write_v2
from v3.messages import SERVER_ID, Content, read_heard
from v3.messages import write as write_v3


def gap_message(missed_from: str, missed_to: str) -> BusMessage:
    """`cmd` `GAP` for both languages; the times are ISO 8601."""
    payload = {"from": missed_from, "to": missed_to}
    content: Content = {"msg_type": "cmd", "target": "echo", "cmd": "GAP", "payload": payload}
    line = write_v3(content, SERVER_ID, "", missed_to)
    frame = {"type": "cmd", "cmd": "GAP", "payload": payload, "client_id": SERVER_ID, BRIDGE: {"notice": "gap"}}
    return BusMessage(line, write_v2(frame).encode(), read_heard(line))
