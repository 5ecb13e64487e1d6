"""AsyncAPI 3 documents of what is spoken at each door: V2, V3 and Socket.IO. Pure: made of the languages' own words.

A document says what a client may send and what it will hear; who hears what is for the README.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from legacy_v2.refusals import REFUSALS as V2_REFUSALS
from v3.messages import json_schema
from v3.refusals import REFUSALS as V3_REFUSALS
from v3.refusals import payload_of

Document = dict[str, Any]

VERSION: Final = "3.0.0"
_CREDENTIALS: Final = {
    "api_key": {"type": "string", "description": "The entry ticket."},
    "jwt": {"type": "string", "description": "The visa: user and account."},
    "x_account_id": {"type": "string", "description": "The account, where there is no jwt."},
}
QUERY: Final = {"type": "object", "properties": _CREDENTIALS}
VISION_ID: Final = "A Vision ID: 1 to 64 of A-Z a-z 0-9 _ -, not all digits."
V2_ID: Final = "Any path segment of up to 128 characters."
_SENT_AT: Final = "2026-01-01T12:00:00.000000Z"
_SAID: Final = {"msg_type": "msg", "target": "group", "msg": "Hello team!"}
_HEARD: Final = {
    "version": "3",
    "msg_type": "msg",
    "target": "group",
    "from_id": "device_xyz789",
    "group_id": "group_abc123",
    "msg": "Hello team!",
    "sent_at": _SENT_AT,
}


def v3(version: str) -> Document:
    """The door `/v3/ws/…`."""
    address = "/v3/ws/group/{group_id}/client/{client_id}"
    messages = {"say": _said_on_v3(), "hear": _heard_on_v3(), "error": _error_on_v3()}
    channel = _websocket(address, messages, {"group_id": VISION_ID, "client_id": VISION_ID})
    return _document("Aether WebSocket V3", version, {"v3": channel}, {"WS_Message_V3": json_schema()})


def v2(version: str) -> Document:
    """The doors `/ws/…` and `/ws_redis/…`, in all path forms."""
    messages = {"say": _any_frame("What a client says."), "hear": _any_frame("What others said."), "bridge": _bridge()}
    forms = {
        "group_and_client": ("group/{group_id}/client/{client_id}", {"group_id": V2_ID, "client_id": V2_ID}),
        "group": ("group/{group_id}", {"group_id": V2_ID}),
        "client": ("client/{client_id}", {"client_id": V2_ID}),
        "id": ("{client_id}", {"client_id": V2_ID}),
        "bare": ("", {}),
    }
    channels = {
        f"{prefix}_{name}": _websocket(f"/{prefix}/{path}".rstrip("/"), messages, parameters)
        for prefix in ("ws", "ws_redis")
        for name, (path, parameters) in forms.items()
    }
    return _document("Aether WebSocket V2", version, channels, {})


def socketio(version: str) -> Document:
    """The namespaces `/v3` and `/v2` of Socket.IO at `/socket.io/`."""
    taken = {
        "name": "acknowledgement",
        "summary": "What became of an emit that asked for it.",
        "payload": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"ok": {"const": True}, "sent_at": {"type": "string", "format": "date-time"}},
                    "required": ["ok", "sent_at"],
                },
                _error_payload(),
            ]
        },
    }
    channels = {
        "v3": _namespace("/v3", {"say": _said_on_v3(), "hear": _heard_on_v3(), "acknowledgement": taken}),
        "v2": _namespace("/v2", {"say": _any_frame("What a client says."), "hear": _any_frame("What others said.")}),
    }
    return _document("Aether over Socket.IO", version, channels, {"WS_Message_V3": json_schema()})


DOCUMENTS: Final[Mapping[str, Callable[[str], Document]]] = {"v2": v2, "v3": v3, "socketio": socketio}


def _document(title: str, version: str, channels: Document, schemas: Document) -> Document:
    return {
        "asyncapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "description": "Served by Aether Bridge.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "`make run`"}},
        "channels": channels,
        "operations": {
            f"{action}_{name}_{message}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{message}"}],
            }
            for name, channel in channels.items()
            for message in channel["messages"]
            for action in [_action(message)]
        },
        **({"components": {"schemas": schemas}} if schemas else {}),
    }


def _action(message: str) -> str:
    """As the bridge sees it: it receives what a client says, and sends the rest."""
    return "receive" if message == "say" else "send"


def _websocket(address: str, messages: Document, parameters: Mapping[str, str]) -> Document:
    described = {name: {"description": words} for name, words in parameters.items()}
    return {
        "address": address,
        "messages": messages,
        **({"parameters": described} if described else {}),
        "bindings": {"ws": {"method": "GET", "query": QUERY, "bindingVersion": "0.1.0"}},
    }


def _namespace(name: str, messages: Document) -> Document:
    ids = {"group_id": {"type": "string"}, "client_id": {"type": "string"}}
    auth = {"type": "object", "properties": {**_CREDENTIALS, **ids}}
    return {
        "address": "/socket.io/",
        "title": f"namespace {name}",
        "description": f"Connect to {name}; `auth` holds what stands in the query; the event is `message`.",
        "messages": messages,
        "bindings": {"ws": {"query": auth, "bindingVersion": "0.1.0"}},
    }


def _said_on_v3() -> Document:
    return {
        "name": "WS_Message_V3",
        "title": "A message as a client says it",
        "summary": "Only msg_type and target are required; what only the server knows is overwritten.",
        "payload": {"$ref": "#/components/schemas/WS_Message_V3"},
        "examples": [{"name": "group", "payload": _SAID}],
    }


def _heard_on_v3() -> Document:
    return {
        "name": "WS_Message_V3",
        "title": "A message as everyone hears it",
        "payload": {"$ref": "#/components/schemas/WS_Message_V3"},
        "examples": [{"name": "group", "payload": _HEARD}],
    }


def _error_on_v3() -> Document:
    refusal = V3_REFUSALS["not_connected"]
    example = {
        **_HEARD,
        "msg_type": "cmd",
        "target": "echo",
        "from_id": "server",
        "cmd": "ERROR",
        "msg": refusal.sentence,
        "payload": payload_of(refusal, refused={"msg_type": "msg", "target": "direct", "to_id": "nobody"}),
    }
    return {
        "name": "ERROR",
        "title": "A refusal",
        "summary": "A refused message never ends the connection by itself; `payload.code` is one of a closed list.",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/WS_Message_V3"},
                {"type": "object", "properties": {"cmd": {"const": "ERROR"}, "payload": _error_payload()}},
            ]
        },
        "examples": [{"name": "not_connected", "payload": example}],
    }


def _error_payload() -> Document:
    problem = {"type": "object", "properties": {"field": {"type": "string"}, "problem": {"type": "string"}}}
    return {
        "type": "object",
        "properties": {
            "code": {"enum": list(V3_REFUSALS)},
            "retry": {"type": "boolean"},
            "detail": {"type": "array", "items": problem},
            "refused": {"type": "object"},
        },
        "required": ["code", "retry", "detail", "refused"],
    }


def _any_frame(title: str) -> Document:
    return {
        "name": "frame",
        "title": title,
        "summary": "Any text: an object, any other JSON value, or plain text. Other V2 clients hear it byte for byte.",
        "payload": {},
        "examples": [{"name": "object", "payload": {"msg": "hi"}}],
    }


def _bridge() -> Document:
    said = {"error": "bus_down", "msg": V2_REFUSALS["bus_down"].sentence}
    words = {"error": {"enum": list(V2_REFUSALS)}, "msg": {"type": "string"}, "notice": {"type": "string"}}
    return {
        "name": "bridge",
        "title": "What only the bridge can say",
        "payload": {
            "type": "object",
            "properties": {"bridge": {"type": "object", "properties": words}},
            "required": ["bridge"],
        },
        "examples": [{"name": "bus_down", "payload": {"bridge": said}}],
    }
