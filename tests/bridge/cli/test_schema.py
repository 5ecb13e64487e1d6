"""`aether-bridge schema`."""

import json
import subprocess

import pytest

from tests.bridge.cli.running import run
from tests.machine import node_program, npm_package
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


PARSE = """
const { Parser } = require("@asyncapi/parser");
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", async () => {
  const { document, diagnostics } = await new Parser().parse(text);
  const faults = diagnostics.filter(({ severity }) => severity < 2).map(({ message, path }) => [message, path]);
  console.log(JSON.stringify({ title: document?.info().title(), faults }));
});
"""


@pytest.mark.parametrize("door", ["v2", "v3", "socketio"])
def test_the_parser_of_asyncapi_finds_no_fault(door: str) -> None:
    node, place = node_program(), npm_package("@asyncapi/parser").parents[2]
    said = run("schema", "--asyncapi", door).stdout
    parsed = subprocess.run([node, "-e", PARSE], input=said, cwd=place, capture_output=True, text=True, check=True)
    found = json.loads(parsed.stdout)
    assert found["faults"] == []
    assert found["title"].startswith("Aether ")
