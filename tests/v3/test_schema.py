"""The schemas of V3 messages: what the bridge refuses they refuse, as far as a schema can say it, and nothing more."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v3.messages import DEFAULT_GROUP, SERVER_ID, Unreadable, WS_Message_V3, content_of, is_vision_id, write
from v3.refusals import REFUSALS, error
from v3.said import check_event, read_said
from v3.schema import DEFINITIONS, DIALECT, NAME, definitions, json_schema

WHOLE = json_schema()
NOW = "2026-01-01T12:00:00.000000Z"
WORDS = st.sampled_from(
    ["", "a", "server", "42", "device_1", "v2-42", "a b", "a\n", "JOIN", "LEAVE", "x" * 64, "x" * 65]
)
VALUES = st.one_of(WORDS, st.none(), st.integers(), st.booleans(), st.just({}), st.just([]), st.just({"a": [1]}))
OFTEN_RIGHT = {
    "version": st.just("3") | VALUES,
    "msg_type": st.sampled_from(["msg", "cmd", "heartbeat", "presence"]) | VALUES,
    "target": st.sampled_from(["direct", "group", "broadcast", "echo"]) | VALUES,
    "from_id": VALUES,
    "to_id": WORDS | VALUES,
    "group_id": VALUES,
    "cmd": WORDS | VALUES,
    "msg": WORDS | VALUES,
    "payload": st.just({"a": 1}) | VALUES,
    "sent_at": VALUES,
    "more": VALUES,
}
FRAMES = st.fixed_dictionaries(
    {name: OFTEN_RIGHT[name] for name in ("msg_type", "target")},
    optional={name: values for name, values in OFTEN_RIGHT.items() if name not in ("msg_type", "target")},
)
RIGHT_OR_WRONG: list[Any] = [
    {"msg_type": "msg", "target": "group"},
    {"msg_type": "msg", "target": "direct"},
    {"msg_type": "msg", "target": "direct", "to_id": None},
    {"msg_type": "msg", "target": "direct", "to_id": ""},
    {"msg_type": "msg", "target": "direct", "to_id": "ann"},
    {"msg_type": "msg", "target": "direct", "to_id": "ann\n"},
    {"msg_type": "msg", "target": "direct", "to_id": "42"},
    {"msg_type": "msg", "target": "direct", "to_id": 42},
    {"msg_type": "msg", "target": "direct", "to_id": "server"},
    {"msg_type": "msg", "target": "direct", "to_id": "v2-a_20b"},
    *({"msg_type": "msg", "target": target, "to_id": "ann"} for target in ("group", "broadcast", "echo")),
    *({"msg_type": "msg", "target": target, "to_id": None} for target in ("group", "broadcast", "echo")),
    *({"msg_type": "presence", "target": target, "cmd": "JOIN"} for target in ("group", "broadcast", "echo")),
    {"msg_type": "presence", "target": "direct", "to_id": "ann", "cmd": "LEAVE"},
    {"msg_type": "presence", "target": "group", "cmd": "join"},
    {"msg_type": "cmd", "target": "group", "cmd": "JOIN"},
    {"msg_type": "msg", "target": "group", "payload": []},
    {"msg_type": "msg", "target": "group", "version": "2"},
    {"msg_type": "msg", "target": "group", "from_id": 7, "group_id": None, "sent_at": {}},
    {"msg_type": "msg", "target": "group", "more": 1},
    {"msg_type": "text", "target": "group"},
    {"target": "group"},
    [],
    None,
    "text",
]


def of(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {"$schema": DIALECT, "$ref": DEFINITIONS + name, "$defs": definitions(DEFINITIONS)}
    )


SAID, SAID_BY_BACKEND, HEARD, REFUSED = (of(name) for name in ("Said", "SaidByBackend", "Heard", "Refused"))
ANY = jsonschema_rs.Draft202012Validator(WHOLE)


def is_taken(frame: object) -> bool:
    """Whether the bridge takes it: a recipient who is not connected is no matter here, a name that none can have is."""
    try:
        said = read_said(json.dumps(frame))
        check_event(said)
    except Unreadable:
        return False
    recipient = said.get("to_id")
    return recipient is None or is_name(str(recipient))


def is_name(name: str) -> bool:
    return is_vision_id(name) or name.startswith("v2-")


def test_the_name_of_a_v2_id_is_one_that_some_v2_id_has() -> None:
    right = ["v2-42", "v2-a_20b", "v2-a_5fb_20", "v2-server", "v2-v2-a", f"v2-{'a' * 65}"]
    wrong = ["v2-", "v2-A", "v2-a-b", "v2-_41_20", "v2-_2d_20", "v2-_2D", "v2-42\n"]
    assert [name for name in right + wrong if re.search(NAME, name)] == right


@pytest.mark.parametrize("frame", RIGHT_OR_WRONG, ids=json.dumps)
def test_what_a_client_may_say_the_schema_takes_and_nothing_else(frame: object) -> None:
    assert SAID.is_valid(frame) == is_taken(frame)


@given(FRAMES)
def test_bridge_and_schema_agree_on_every_frame(frame: dict[str, Any]) -> None:
    assert SAID.is_valid(frame) == is_taken(frame)


@given(FRAMES)
def test_whatever_is_heard_of_what_was_said_is_of_its_schema(frame: dict[str, Any]) -> None:
    if is_taken(frame):
        heard = json.loads(write(content_of(frame), "ann", "lobby", NOW))
        assert HEARD.is_valid(heard)
        assert ANY.is_valid(heard)


@given(FRAMES)
def test_the_schema_of_both_refuses_what_the_rules_of_the_recipient_forbid(frame: dict[str, Any]) -> None:
    said = {name: value for name, value in frame.items() if name not in ("from_id", "group_id", "sent_at")}
    if ANY.is_valid(said):
        assert read_said(json.dumps(said)) == said


@pytest.mark.parametrize("code", REFUSALS)
def test_each_refusal_is_heard_and_has_a_name(code: str) -> None:
    problems = [{"field": "to_id", "problem": "is required"}]
    refused = json.loads(error(REFUSALS[code], "", NOW, problems=problems, extra={"retry_after_ms": 1}))  # type: ignore[arg-type]
    assert REFUSED.is_valid(refused)
    name = "".join(word.capitalize() for word in code.split("_"))
    assert of(name).is_valid(refused["payload"])
    assert [other for other in definitions("") if "Refus" not in other and of(other).is_valid(refused["payload"])] == [
        name
    ]


@pytest.mark.parametrize("field", ["version", "msg_type", "target", "from_id", "group_id", "sent_at"])
def test_what_only_the_server_sets_is_always_heard(field: str) -> None:
    heard = json.loads(write({"msg_type": "msg", "target": "group"}, "ann", "lobby", NOW))
    assert HEARD.is_valid(heard)
    assert not HEARD.is_valid({name: value for name, value in heard.items() if name != field})


@pytest.mark.parametrize(
    ("more", "is_right"),
    [
        ({}, True),
        ({"from_id": "billing", "group_id": "team_a"}, True),
        ({"from_id": SERVER_ID, "group_id": DEFAULT_GROUP}, True),
        ({"from_id": None, "group_id": None}, True),
        ({"from_id": "42"}, False),
        ({"group_id": 7}, False),
        ({"target": "echo"}, False),
        ({"msg_type": "heartbeat"}, False),
        ({"target": "direct"}, False),
    ],
)
def test_a_backend_is_believed_who_it_is_and_echoes_nothing(more: dict[str, Any], is_right: bool) -> None:  # noqa: FBT001 - a row
    assert SAID_BY_BACKEND.is_valid({"msg_type": "msg", "target": "group", **more}) == is_right


def test_every_example_is_of_its_schema() -> None:
    for example in WHOLE["examples"]:
        ANY.validate(example)
    for name, schema in WHOLE["$defs"].items():
        for example in schema.get("examples", []):
            of(name).validate(example)


def test_it_is_a_schema_with_an_identifier_and_the_fields_of_the_message() -> None:
    jsonschema_rs.meta.validate(WHOLE)
    assert (WHOLE["title"], WHOLE["additionalProperties"]) == ("WS_Message_V3", False)
    assert WHOLE["$id"].startswith("urn:")
    assert list(WHOLE["properties"]) == list(WS_Message_V3.model_fields)
    assert sorted(WHOLE["required"]) == ["msg_type", "target"]
