"""`aether-bridge environment`: prints an environment file with every setting, generated from the settings model.

It prints only defaults, never the configuration of the machine that it runs on.
"""

import json
from typing import Final

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bridge.config.settings import Settings

TABLES: Final = ("tenants", "keys", "jwt")
OF_THE_USER: Final = ("data_dir",)  # its default differs for each user
HEAD: Final = """\
# The settings of Aether Bridge, for systemd's EnvironmentFile and for the env_file of a container.
# Each line shows the default: uncomment what is to differ. Lists are JSON: ["https://app.example.com"].
# What stands here wins over bridge.toml, which alone holds tenants, keys and [jwt].
# `aether-bridge environment` prints this file.

# Path of bridge.toml.
#BRIDGE_CONFIG=/etc/aether-bridge/bridge.toml
"""


def environment() -> None:
    """Print every setting as a commented line for the environment.

    ```sh
    aether-bridge environment > deploy/env.example
    ```
    """
    typer.echo(environment_lines(), nl=False)


def environment_lines() -> str:
    """The text of deploy/env.example."""
    entries = [_entry(name, field) for name, field in Settings.model_fields.items() if name not in TABLES]
    return "\n".join([HEAD, *entries])


def _entry(name: str, field: FieldInfo) -> str:
    description = f"# {field.description}\n" if field.description else ""
    return f"{description}#BRIDGE_{name.upper()}={_default(name, field)}\n"


def _default(name: str, field: FieldInfo) -> str:
    """The default as pydantic reads it from the environment: a string unchanged, anything else as JSON."""
    default: object = None if name in OF_THE_USER else field.default
    if default is None:
        return ""
    if isinstance(default, BaseModel):
        return default.model_dump_json()
    return default if isinstance(default, str) else json.dumps(default)
