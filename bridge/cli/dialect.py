"""The dialect of a command that reads or writes V2: V2's standard words, or the dialect of a configured tenant."""

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import fail, read_settings
from bridge.config.settings import Settings
from compat.dialect import STANDARD, Dialect

DialectOption = Annotated[str | None, typer.Option("--tenant", help="The tenant whose dialect is spoken.")]


def read_dialect(context: typer.Context, config: Path | None, tenant: str | None) -> Dialect:
    """The dialect of a configured tenant, or V2's standard words if no tenant is named.

    Ends the command if the tenant is not configured, or if `--config` is given on the command line without a tenant.
    """
    if tenant is None:
        source = context.get_parameter_source("config")
        if source is not None and source.name == "COMMANDLINE":
            fail("--config alone says no dialect: name the tenant that speaks it with --tenant")
        return STANDARD
    known = read_settings(config).known_tenants()
    if tenant not in known:
        fail(f"no tenant {tenant!r} is configured: name one of {', '.join(known) or 'those in --config FILE'}")
    return known[tenant].dialect


def dialect_rules(settings: Settings, tenant: str) -> dict[str, object]:
    """The rules of a tenant's dialect by word, as they stand in the configuration; empty if it has none."""
    configured = settings.tenants.get(tenant)
    rules = {} if configured is None else configured.dialect
    return {word: rule.model_dump(exclude_defaults=True) for word, rule in rules.items()}
