"""Plain frames are upgraded as any frame is, and sooner."""

from typing import Any

import pytest
from pydantic_core import to_json

from compat.dialect import STANDARD
from compat.identity import PLAIN_NAMES, Names
from compat.plain_frames import plain_content
from compat.upgrade import EXACT, _Reading
from tests.compat.strategies import frames
from tests.compat.test_laws import Worlds, law
from tests.compat.test_upgrade import DIALECT

PLAIN: list[Any] = [
    *({}, {"msg": "hi"}, {"cmd": "STOP"}, {"command": "", "text": ""}, {"a": 1}, {"payload": {}}, {"_v2": 1}),
    *({"msg_type": "msg", "target": "group", "msg": "hi"}, {"type": "chat", "message": "hi", "data": {"a": 1}, "b": 2}),
    *({"to": 42, "msg": "hi"}, {"target": "direct", "to": "bob"}, {"recipient_id": 7.0}, {"target": "broadcast"}),
    *({"type": "ping"}, {"msg_type": "cmd", "cmd": "STOP"}, {"kind": "cmd", "caption": "hi", "body": {"a": {}}}),
    *(
        {"msg": None, "to": None, "payload": [1], "type": 7, "target": {}},
        {"type": "login"},
        {"to": True, "text": 1, "message": "hi"},
    ),
]
NOT_PLAIN: list[Any] = [
    *({"msg": "a", "text": "b"}, {"to": 1, "to_id": 2}, {"from_id": "boss"}, {"payload": {"a": 1}, "a": 2}),
    *({"reload": 1}, {"type": "presence"}, {"msg_type": "chat"}, {"msg_type": 7, "type": "chat"}),
    *({"target": "echo"}, {"target": "direct"}, {"target": "group", "to": "bob"}, {"to": ""}, {"to": 7.5}),
]


@pytest.mark.parametrize("frame", PLAIN, ids=repr)
def test_a_plain_frame_has_the_content_that_any_frame_would_have(frame: Any) -> None:
    content = plain_content(frame, PLAIN_NAMES, DIALECT)
    assert to_json(content) == to_json(_Reading(frame, PLAIN_NAMES, DIALECT).upgraded().content)


@pytest.mark.parametrize("frame", NOT_PLAIN, ids=repr)
def test_a_frame_of_which_something_must_be_decided_is_not_plain(frame: Any) -> None:
    assert plain_content(frame, PLAIN_NAMES, DIALECT) is None


@pytest.mark.fuzz
@law(frames)
def test_whatever_is_plain_has_the_content_that_any_frame_would_have(frame: dict[str, Any], worlds: Worlds) -> None:
    for world in worlds:
        content = plain_content(frame, world.names, world.dialect)
        if content is not None:
            upgraded = _Reading(frame, world.names, world.dialect).upgraded()
            assert (to_json(content), upgraded.outcome) == (to_json(upgraded.content), EXACT)


def test_a_mapped_recipient_goes_by_its_vision_id() -> None:
    content = plain_content({"to": 42}, Names({"42": "Xk3dQ"}), STANDARD)
    assert content == {"msg_type": "msg", "target": "direct", "to_id": "Xk3dQ"}


def test_the_frame_itself_is_left_as_it_was() -> None:
    frame = {"payload": {"a": 1}, "b": 2}
    assert plain_content(frame, PLAIN_NAMES, STANDARD) is not None
    assert frame == {"payload": {"a": 1}, "b": 2}
