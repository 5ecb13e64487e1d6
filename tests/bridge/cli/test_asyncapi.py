"""What the documents of the doors say is what is spoken there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bridge.cli import asyncapi
from bridge.cli.asyncapi import DOCUMENTS
from legacy_v2.refusals import REFUSALS as V2_REFUSALS
from v3.messages import WS_Message_V3
from v3.refusals import REFUSALS


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return DOCUMENTS[request.param]("1.2.3")


def test_every_operation_names_a_message_that_is_there(document: dict[str, Any]) -> None:
    for operation in document["operations"].values():
        _, kind, channel = operation["channel"]["$ref"].split("/")
        (message,) = operation["messages"]
        assert message["$ref"].removeprefix(f"#/{kind}/{channel}/messages/") in document[kind][channel]["messages"]


def test_every_message_of_every_channel_has_an_operation(document: dict[str, Any]) -> None:
    named = [operation["messages"][0]["$ref"] for operation in document["operations"].values()]
    assert named == [
        f"#/channels/{name}/messages/{message}"
        for name, channel in document["channels"].items()
        for message in channel["messages"]
    ]


def test_whatever_the_file_leaves_to_code_is_said_and_nothing_else() -> None:
    file = Path(asyncapi.__file__).with_suffix(".yaml").read_text()
    asked = re.findall(r"!code (\w+)", file)
    assert set(asked) == set(asyncapi._said_by_code("1"))


def test_the_version_is_the_one_that_was_given(document: dict[str, Any]) -> None:
    assert document["info"]["version"] == "1.2.3"


def test_a_client_says_and_the_bridge_sends(document: dict[str, Any]) -> None:
    for name, operation in document["operations"].items():
        assert operation["action"] == ("receive" if name.endswith("_say") else "send")


def test_every_path_form_of_both_prefixes_is_there() -> None:
    addresses = {channel["address"] for channel in DOCUMENTS["v2"]("1")["channels"].values()}
    rest = ("", "/group/{group_id}", "/group/{group_id}/client/{client_id}", "/client/{client_id}", "/{client_id}")
    assert addresses == {prefix + form for prefix in ("/ws", "/ws_redis") for form in rest}


def test_examples_of_what_is_heard_are_messages() -> None:
    messages = DOCUMENTS["v3"]("1")["channels"]["v3"]["messages"]
    for name in ("hear", "error"):
        for example in messages[name]["examples"]:
            WS_Message_V3.model_validate(example["payload"])


@pytest.mark.parametrize(("door", "refusals", "field"), [("v2", V2_REFUSALS, "error"), ("v3", REFUSALS, "code")])
def test_every_refusal_is_a_type_that_is_named_and_knows_its_code(
    door: str, refusals: Mapping[str, object], field: str
) -> None:
    schemas = DOCUMENTS[door]("1")["components"]["schemas"]
    named = {schema["properties"][field]["const"]: name for name, schema in schemas.items() if codes(schema, field)}
    assert named == {code: "".join(word.capitalize() for word in code.split("_")) for code in refusals}


def codes(schema: dict[str, Any], field: str) -> bool:
    return "const" in schema.get("properties", {}).get(field, {})


def test_what_is_said_and_what_is_heard_are_two_schemas() -> None:
    for door in ("v3", "socketio"):
        messages = DOCUMENTS[door]("1")["channels"]["v3"]["messages"]
        assert messages["say"]["payload"] != messages["hear"]["payload"]


def test_every_example_is_of_its_schema(document: dict[str, Any]) -> None:
    for channel in document["channels"].values():
        for name, message in channel["messages"].items():
            schema = {**message["payload"], "components": document.get("components", {})}
            validator = jsonschema_rs.Draft202012Validator(schema)
            for example in message.get("examples", []):
                validator.validate(example["payload"])
            assert name == "acknowledgement" or message["examples"]
