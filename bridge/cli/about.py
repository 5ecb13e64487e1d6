"""The root of the command line `aether-bridge`: its description, and the option `--version`."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

NAME: Final = "aether-bridge"


def _say_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"{NAME} {version(NAME)}")
    except PackageNotFoundError:
        typer.echo(f"{NAME}, run from its sources: no version is installed")
    raise typer.Exit


def about(
    _version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """One process that serves Aether WebSocket V2 and V3, and lets clients of both talk to each other."""
