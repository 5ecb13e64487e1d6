import json

from bridge.messaging.gaps import gap_message
from v3.heard import read_heard
from v3.messages import WS_Message_V3

MISSED = ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:02.000000Z")


def test_v3_hears_of_a_gap_as_a_command_of_the_server() -> None:
    message = WS_Message_V3.model_validate_json(gap_message(*MISSED).line)
    assert (message.msg_type, message.target, message.cmd, message.from_id) == ("cmd", "echo", "GAP", "server")
    assert message.payload == {"from": MISSED[0], "to": MISSED[1]}
    assert message.sent_at == MISSED[1]


def test_v2_hears_of_a_gap_in_its_own_words() -> None:
    text = gap_message(*MISSED).v2_text
    assert text is not None
    frame = json.loads(text)
    assert (frame["type"], frame["cmd"], frame["bridge"]) == ("cmd", "GAP", {"notice": "gap"})
    assert frame["payload"] == {"from": MISSED[0], "to": MISSED[1]}


def test_what_is_kept_of_a_gap_is_what_its_line_says() -> None:
    message = gap_message(*MISSED)
    assert read_heard(message.line) == message.heard
