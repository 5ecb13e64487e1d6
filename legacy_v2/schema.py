"""JSON Schemas of what only the bridge says to V2 clients: each refusal by its name, with its code. Pure.

What clients say has no schema: any text is a V2 frame.
"""

from typing import Any

from legacy_v2.frames import BRIDGE
from legacy_v2.refusals import MOVED, REFUSALS, Refusal

Schema = dict[str, Any]


def definitions(place: str) -> dict[str, Schema]:
    """Every named schema. `place`: where they are put, as the beginning of a reference, such as `#/$defs/`."""
    refusals = {_name(refusal.code): _refusal(refusal) for refusal in REFUSALS.values()}
    spoken: Schema = {"oneOf": [{"$ref": place + name} for name in refusals]}
    frame = {"title": "Bridge", "type": "object", "properties": {BRIDGE: spoken}, "required": [BRIDGE]}
    return {"Bridge": frame, **refusals}


def _name(code: str) -> str:
    """`not_connected` -> `NotConnected`."""
    return "".join(word.capitalize() for word in code.split("_"))


def _refusal(refusal: Refusal) -> Schema:
    properties: Schema = {"error": {"type": "string", "const": refusal.code}, "msg": {"type": "string"}}
    if refusal.code in MOVED:
        properties |= {"notice": {"type": "string", "const": refusal.code}, "successor": {"type": "string"}}
    end = "The connection stays open." if refusal.close is None else f"Closes the connection with {refusal.close}."
    return {
        "title": _name(refusal.code),
        "description": f"{refusal.sentence} {end}",
        "type": "object",
        "properties": properties,
        "required": ["error", "msg"],
    }
