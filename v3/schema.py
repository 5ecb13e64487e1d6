"""JSON Schemas of V3 messages: what a client says, what it hears, and each refusal by its name. Pure.

They are for programs outside: validators, code generators, documents. The bridge itself validates with `said.py` and
`heard.py`. It refuses more than a schema can say: payloads nested deeper than 32, numbers that are not finite, frames
that are too large or hold too much, and recipients who are not connected.
"""

from copy import deepcopy
from typing import Any, Final

from v3.messages import SERVER_EVENTS, WS_Message_V3
from v3.refusals import REFUSALS, Refusal

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER: Final = "urn:aether:ws-message-v3"
DEFINITIONS: Final = "#/$defs/"
_OF_V3: Final = "(?!v2-)(?![0-9]+$)(?!server$)[A-Za-z0-9_-]{1,64}"
_NEEDED: Final = "(?=[0-9]+$|server$|v2-|.*_(?!5f)|(?:[A-Za-z0-9-]|_5f){65})"
_MORE: Final = "_[89ab][0-9a-f]"
_ESCAPED: Final = "|".join(
    (
        "_(?:[01][0-9a-f]|2[0-9a-cef]|3[a-f]|[46]0|5[b-f]|7[b-f])",
        f"_(?:c[2-9a-f]|d[0-9a-f]){_MORE}",
        f"(?:_e0_[ab][0-9a-f]|_ed_[89][0-9a-f]|_e[1-9a-cef]{_MORE}){_MORE}",
        f"(?:_f0_[9ab][0-9a-f]|_f4_8[0-9a-f]|_f[1-3]{_MORE}){_MORE}{_MORE}",
    )
)
"""One character of a V2 id: its UTF-8 bytes, of which there are one to four."""
VISION_ID: Final = rf"^{_OF_V3}(?!\n)$"
NAME: Final = rf"^(?:{_OF_V3}|v2-{_NEEDED}(?:[A-Za-z0-9-]|{_ESCAPED}){{1,128}})(?!\n)$"
"""A Vision ID, or the name that a V2 id has here: who needs none has none, and what need not be is not escaped.

`(?!\\n)`: in Python `$` also matches before a line break.
"""
_GROUP: Final = {"msg_type": "msg", "target": "group", "msg": "Hello team!"}
_DIRECT: Final = {"msg_type": "cmd", "target": "direct", "to_id": "device_xyz789", "cmd": "RELOAD_UI"}
_BY_SERVER: Final = {"from_id": "device_abc123", "group_id": "group_abc123", "sent_at": "2026-01-01T12:00:00.000000Z"}
_NOTHING: Final[Schema] = {"not": {}}
_RECIPIENT: Final[Schema] = {"type": "string", "pattern": NAME}
_EVENT_TO_OTHERS: Final[Schema] = {
    "required": ["msg_type", "target", "cmd"],
    "properties": {
        "msg_type": {"const": "presence"},
        "target": {"enum": ["direct", "group", "broadcast"]},
        "cmd": {"enum": sorted(SERVER_EVENTS)},
    },
}


def json_schema() -> Schema:
    """The schema of `WS_Message_V3`, said or heard, as `GET /v3/schema` and `aether-bridge schema` give it.

    Its `$defs` are the narrower ones, of `definitions`.
    """
    whole = _message(WS_Message_V3.__name__, "One V3 message, as it is said or heard.", {"type": "null"})
    head = {"$schema": DIALECT, "$id": IDENTIFIER}
    return head | whole | {"examples": [_GROUP, _heard_example(_DIRECT)], "$defs": definitions(DEFINITIONS)}


def definitions(place: str) -> dict[str, Schema]:
    """Every named schema. `place`: where they are put, as the beginning of a reference, such as `#/$defs/`."""
    refusals = {_name(refusal.code): _refusal(refusal, f"{place}Problem") for refusal in REFUSALS.values()}
    return {
        "Said": said(),
        "SaidByBackend": said_by_backend(),
        "Heard": heard(),
        "Refused": _refused(place),
        "Refusal": {"title": "Refusal", "oneOf": [{"$ref": place + name} for name in refusals]},
        "Problem": _problem(),
        **refusals,
    }


def said() -> Schema:
    """What a client says. Only the server sets the fields that are its own: any JSON value in them is discarded."""
    schema = _message("Said", "What a client says on its connection.", {"type": "null"})
    for name in ("from_id", "group_id", "sent_at"):
        schema["properties"][name] = {"description": "Set by the server; what a client says here is discarded."}
    schema["properties"]["to_id"]["anyOf"][0] = _RECIPIENT
    return schema | {"not": _EVENT_TO_OTHERS, "examples": [_GROUP, _DIRECT]}


def said_by_backend() -> Schema:
    """What `POST /v3/messages` takes: there is no connection, so sender and group are believed, and nothing echoes."""
    schema = said() | {"title": "SaidByBackend", "description": "What a backend says; its sender is believed."}
    properties = schema["properties"]
    properties["msg_type"]["enum"] = ["msg", "cmd", "presence"]
    properties["target"]["enum"] = ["direct", "group", "broadcast"]
    properties["from_id"] = _optional_name("Who says it.", "server")
    properties["group_id"] = _optional_name("The group in which it is said.", "lobby")
    return schema | {"examples": [_GROUP | {"from_id": "billing", "group_id": "team_a"}, _DIRECT]}


def heard() -> Schema:
    """What a client hears. A field that nobody set is absent."""
    schema = _message("Heard", "What a client hears.", _NOTHING)
    properties = schema["properties"]
    for name, plain in (("to_id", "string"), ("cmd", "string"), ("msg", "string"), ("payload", "object")):
        properties[name] = {"type": plain, "description": properties[name]["description"]}
    for name in ("from_id", "group_id", "sent_at"):
        properties[name].pop("default")
    required = ["version", "msg_type", "target", "from_id", "group_id", "sent_at"]
    return schema | {"required": required, "examples": [_heard_example(_GROUP), _heard_example(_DIRECT)]}


def _message(title: str, description: str, to_id_of_others: Schema) -> Schema:
    """`to_id_of_others`: what the field may be where the target is not `direct`."""
    schema = deepcopy(WS_Message_V3.model_json_schema())
    for field in schema["properties"].values():
        field.pop("title", None)
    return schema | {
        "title": title,
        "description": description,
        "if": {"properties": {"target": {"const": "direct"}}, "required": ["target"]},
        "then": {"required": ["to_id"], "properties": {"to_id": {"type": "string", "minLength": 1}}},
        "else": {"properties": {"to_id": to_id_of_others}},
    }


def _heard_example(said: Schema) -> Schema:
    return {"version": "3", **said, **_BY_SERVER}


def _optional_name(description: str, default: str) -> Schema:
    return {
        "anyOf": [{"type": "string", "pattern": NAME}, {"const": default}, {"type": "null"}],
        "description": f"{description} If left out: `{default}`.",
    }


def _name(code: str) -> str:
    """`not_connected` -> `NotConnected`."""
    return "".join(word.capitalize() for word in code.split("_"))


def _problem() -> Schema:
    text = {"type": "string"}
    description = "One field of what was refused (empty for the whole), and what is wrong with it."
    return {
        "title": "Problem",
        "description": description,
        "type": "object",
        "properties": {"field": text, "problem": text},
        "required": ["field", "problem"],
    }


def _refusal(refusal: Refusal, problem: str) -> Schema:
    """`problem`: the reference of `_problem`."""
    end = "The connection stays open." if refusal.close is None else f"Closes the connection with {refusal.close}."
    return {
        "title": _name(refusal.code),
        "description": f"{refusal.sentence} {end}",
        "type": "object",
        "properties": {
            "code": {"type": "string", "const": refusal.code},
            "retry": {"type": "boolean", "const": refusal.retry},
            "detail": {"type": "array", "items": {"$ref": problem}},
            "refused": {"type": "object", "description": "What could be read of the message."},
        },
        "required": ["code", "retry", "detail", "refused"],
    }


def _refused(place: str) -> Schema:
    return {
        "title": "Refused",
        "description": "The message with which the server refuses. It is one that a client hears.",
        "allOf": [
            {"$ref": f"{place}Heard"},
            {
                "type": "object",
                "properties": {"cmd": {"const": "ERROR"}, "payload": {"$ref": f"{place}Refusal"}},
                "required": ["cmd", "msg", "payload"],
            },
        ],
    }
