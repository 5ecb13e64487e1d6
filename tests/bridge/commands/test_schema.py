"""`aether-bridge schema`."""

import json

from tests.bridge.commands.running import run
from v3.messages import WS_Message_V3


def test_it_is_the_schema_of_ws_message_v3() -> None:
    schema = json.loads(run("schema").stdout)
    assert schema["title"] == "WS_Message_V3"
    assert list(schema["properties"]) == list(WS_Message_V3.model_fields)
    assert schema["additionalProperties"] is False


def test_each_door_has_an_asyncapi_document() -> None:
    for door in ("v2", "v3", "socketio"):
        document = json.loads(run("schema", "--asyncapi", door).stdout)
        assert document["asyncapi"] == "3.0.0"


def test_a_door_that_is_none_is_refused_with_those_that_are() -> None:
    refused = run("schema", "--asyncapi", "v4")
    assert refused.exit_code == 1
    assert "v2, v3, socketio" in refused.stderr
