"""Whose words a command about V2 speaks: V2's standard words, or those of a configured tenant."""

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import fail, read_settings
from compat.dialect import STANDARD, Dialect

DialectOption = Annotated[str | None, typer.Option("--tenant", help="The tenant whose dialect is spoken.")]


def read_dialect(context: typer.Context, config: Path | None, tenant: str | None) -> Dialect:
    """The words of a configured tenant, or V2's standard words where none is named; or the end of the command."""
    if tenant is None:
        source = context.get_parameter_source("config")
        if source is not None and source.name == "COMMANDLINE":
            fail("--config alone says no dialect: name the tenant that speaks it with --tenant")
        return STANDARD
    known = read_settings(config).known_tenants()
    if tenant not in known:
        fail(f"no tenant {tenant!r} is configured: name one of {', '.join(known) or 'those in --config FILE'}")
    return known[tenant].dialect
