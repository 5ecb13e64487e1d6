"""`aether-bridge schema`: the words of V3, for generators and validators."""

import json

import typer

from v3.messages import json_schema


def schema() -> None:
    """Print the JSON Schema of WS_Message_V3.

    ```sh
    aether-bridge schema > ws_message_v3.schema.json
    ```
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
