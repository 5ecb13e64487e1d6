"""What the bridge says to V2 clients is of its schema."""

from __future__ import annotations

import jsonschema_rs
import pytest

from legacy_v2.refusals import MOVED, REFUSALS, refusal_value
from legacy_v2.schema import definitions

BRIDGE = jsonschema_rs.Draft202012Validator({"$ref": "#/$defs/Bridge", "$defs": definitions("#/$defs/")})


@pytest.mark.parametrize("code", REFUSALS)
def test_each_refusal_is_of_its_schema(code: str) -> None:
    extra = {"successor": "/v3/ws/group/g/client/c"} if code in MOVED else {"retry_after_ms": 100}
    BRIDGE.validate(refusal_value(REFUSALS[code], **extra))


@pytest.mark.parametrize("said", [{"error": "unheard_of", "msg": "?"}, {"error": "bus_down"}, "bus_down", None])
def test_anything_else_is_not(said: object) -> None:
    assert not BRIDGE.is_valid({"bridge": said})
