"""AsyncAPI 3 documents of the messages at each door: V2, V3 and Socket.IO. It connects to nothing, and writes no file.

`asyncapi.yaml` describes what a client may send and what it will receive; edit it there. This module fills in what only
code knows: the version, the JSON schema of a message, the refusals, and an operation for each message.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any, Final, cast

from legacy_v2.refusals import REFUSALS as V2_REFUSALS  # V2
from legacy_v2.schema import definitions as v2_definitions  # V2
from v3.refusals import REFUSALS as V3_REFUSALS
from v3.refusals import payload_of
from v3.schema import definitions as v3_definitions

Document = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
_REFUSED: Final = {"msg_type": "msg", "target": "direct", "to_id": "nobody"}
"""The refused message in the example of a refusal."""


def _document(door: str, version: str) -> Document:
    """The document of a door, for a version of the bridge. Raises `KeyError` for an unknown `!code` in the file."""
    document: Document = _read(_said_by_code(version))["documents"][door]
    return document | {"operations": _operations(document["channels"])}


DOCUMENTS: Final[Mapping[str, Callable[[str], Document]]] = {
    door: partial(_document, door)
    for door in (
        "v2",  # V2
        "v3",
        "socketio",
    )
}
"""Door -> the function that makes its document from the version of the bridge."""


def _said_by_code(version: str) -> Mapping[str, object]:
    """Name after `!code` in the file -> the value that is filled in."""
    not_connected = V3_REFUSALS["not_connected"]
    return {
        "version": version,
        "v2_schemas": v2_definitions(SCHEMAS),  # V2
        "v3_schemas": {name: schema for name, schema in v3_definitions(SCHEMAS).items() if name != "SaidByBackend"},
        "v2_bus_down": V2_REFUSALS["bus_down"].sentence,  # V2
        "v3_not_connected": not_connected.sentence,
        "v3_not_connected_payload": payload_of(not_connected, refused=_REFUSED),
    }


def _read(said_by_code: Mapping[str, object]) -> Document:
    import yaml  # noqa: PLC0415 - a bridge that serves does not need it

    loader = yaml.SafeLoader(files("bridge.cli").joinpath("asyncapi.yaml").read_text(encoding="utf-8"))
    code = {"!code": lambda _loader, node: said_by_code[node.value]}
    loader.yaml_constructors = loader.yaml_constructors | code
    return cast(Document, loader.get_single_data())


def _operations(channels: Document) -> Document:
    return {
        f"{action}_{name}_{message}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{message}"}],
        }
        for name, channel in channels.items()
        for message in channel["messages"]
        for action in [_action(message)]
    }


def _action(message: str) -> str:
    """The action as seen by the bridge: it receives what a client says, and sends all other messages."""
    return "receive" if message == "say" else "send"
