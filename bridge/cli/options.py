"""What several commands take, and how a command ends that cannot go on: one sentence, exit status 1."""

from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from bridge.config.settings import Settings, SettingsError, load

STANDARD_INPUT: Final = Path("-")

ConfigOption = Annotated[
    Path | None, typer.Option(help="bridge.toml: tenants, keys, and any setting.", envvar="BRIDGE_CONFIG")
]
RedisOption = Annotated[str | None, typer.Option("--redis", help="Redis or Valkey, such as redis://127.0.0.1:6379/0.")]
DataDirOption = Annotated[Path | None, typer.Option(help="Where the private server keeps its data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Say it in JSON, for a program.")]


def fail(message: str) -> NoReturn:
    """Say why, and exit with status 1."""
    typer.echo(f"aether-bridge: {message}", err=True)
    raise typer.Exit(1)


def read_settings(config: Path | None, **given: object) -> Settings:
    """The settings, or the end of the command."""
    try:
        return load(config, **given)
    except SettingsError as error:
        fail(str(error))
