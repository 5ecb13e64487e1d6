"""The root of the command line `aether-bridge`: its description, and the option `--version`."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

NAME: Final = "aether-bridge"


def _say_version(wanted: bool) -> None:
    if not wanted:
        return
    installed = version_installed()
    typer.echo(f"{NAME} {installed}" if installed else f"{NAME}, run from its sources: no version is installed")
    raise typer.Exit


def version_installed() -> str | None:
    """The version of the installed package; `None` if the sources are run as they are."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return None


def about(
    _version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """One process that serves Aether WebSocket V2 and V3, and lets clients of both talk to each other."""
