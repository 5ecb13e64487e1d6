"""`aether-bridge schema`."""

import json

from tests.bridge.commands.running import run
from v3.messages import WS_Message_V3


def test_it_is_the_schema_of_ws_message_v3() -> None:
    schema = json.loads(run("schema").stdout)
    assert schema["title"] == "WS_Message_V3"
    assert list(schema["properties"]) == list(WS_Message_V3.model_fields)
    assert schema["additionalProperties"] is False
