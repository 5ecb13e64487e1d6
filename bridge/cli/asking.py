"""Asks before a step towards V3: shows in short what it would do. Without a terminal it asks nobody, and wants `--yes`.

It never makes the step. What it shows goes to standard error, so that `--json` leaves standard output to programs.
"""

import sys
from typing import Final

import typer

from bridge.cli.options import fail
from bridge.cli.prediction_text import prediction_in_short
from bridge.cli.tenant_session import TenantSession
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant

NOBODY_TO_ASK: Final = (
    "a step towards V3 asks first, and here is no terminal to ask at: look at it with --dry-run, then add --yes"
)


async def ask(at: TenantSession, tenant: Tenant, after: Standing) -> None:
    """Return if the operator agrees; else the command ends."""
    if not sys.stdin.isatty():
        fail(NOBODY_TO_ASK)
    typer.echo(prediction_in_short(await at.cutover.dry_run.predict(tenant, after)), err=True)
    if not typer.confirm("Make this step?", err=True):
        fail("nothing was changed")
