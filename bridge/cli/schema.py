"""`aether-bridge schema`: prints the JSON Schema of V3 or the AsyncAPI document of a door, for code generators."""

import json
from importlib.metadata import version
from typing import Annotated

import typer

from bridge.cli.about import NAME
from bridge.cli.asyncapi import DOCUMENTS
from bridge.cli.options import fail
from v3.schema import json_schema


def schema(
    asyncapi: Annotated[
        str | None, typer.Option(metavar="DOOR", help="The AsyncAPI 3 document of a door: v2, v3 or socketio.")
    ] = None,
) -> None:
    """Print the JSON Schema of WS_Message_V3, or with --asyncapi the AsyncAPI 3 document of a door.

    ```sh
    aether-bridge schema > ws_message_v3.schema.json
    aether-bridge schema --asyncapi v3 > aether-v3.asyncapi.json
    ```
    """
    if asyncapi is not None and asyncapi not in DOCUMENTS:
        fail(f"a door is one of {', '.join(DOCUMENTS)}")
    document = json_schema() if asyncapi is None else DOCUMENTS[asyncapi](version(NAME))
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
