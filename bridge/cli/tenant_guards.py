"""`aether-bridge tenants guards`: what a tenant's guards say now, and their limits, which it also sets.

Running bridges obey new limits within two seconds. A change of limits is in the tenant's record.
"""

import json
from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer
from pydantic import ValidationError

from bridge.cli.guards_text import limits_text
from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, operate
from bridge.cli.tenant_stage import WhyOption, stepped
from bridge.cli.tenants import TenantArgument
from bridge.cli.user import who
from bridge.config.settings import Settings
from bridge.cutover.changes import carry_out
from bridge.cutover.guards import report
from bridge.tenants.guard_rules import GUARD_NAMES, GuardLimits, GuardRules
from bridge.tenants.tenant import Tenant

Limits = dict[str, float | None]

StashedOption = Annotated[float | None, typer.Option(help="At most so many % of V2 messages stashed.")]
QuietOption = Annotated[float | None, typer.Option(help="To v3: no V2 message for so many days.")]
LostOption = Annotated[float | None, typer.Option(help="At most so many % of those moved in a step are lost.")]
GraceOption = Annotated[float | None, typer.Option(help="So long nobody who is moved counts as lost.")]
WatchOption = Annotated[float | None, typer.Option(help="So long a step is watched, and may be taken back.")]
OffOption = Annotated[list[str], typer.Option(metavar="NAME", help="Take the limit of this guard away.")]


@with_settings
def guards(
    settings: Settings,
    name: TenantArgument,
    stashed_percent: StashedOption = None,
    quiet_days: QuietOption = None,
    lost_percent: LostOption = None,
    grace_seconds: GraceOption = None,
    watch_minutes: WatchOption = None,
    off: OffOption = [],  # noqa: B006 - Typer wants a list, and nobody writes to it
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """What a tenant's guards say now; with an option, set a limit. Exit status 1 if a guard fails.

    ```sh
    aether-bridge tenants guards acme --lost-percent 20 --off quiet_days --why "kiosks need a minute"
    ```
    """
    given = _given((stashed_percent, quiet_days, lost_percent, grace_seconds, watch_minutes), off)
    operate(settings, name, partial(_work, given, why, as_json=as_json))


def _given(limits: Iterable[float | None], off: Iterable[str]) -> Limits:
    """The limits that the command names, those of `GuardLimits` in order; or the end of the command."""
    names = [name.replace("-", "_") for name in off]
    unknown = [name for name in names if name not in GUARD_NAMES]
    if unknown:
        fail(f"there is no guard {unknown[0]!r}: --off takes one of {', '.join(GUARD_NAMES)}")
    said = zip(GuardLimits.model_fields, limits, strict=True)
    given: Limits = {name: limit for name, limit in said if limit is not None}
    both = given.keys() & set(names)
    if both:
        fail(f"{min(both)} is given a limit and taken away at once: leave one of them out")
    return given | dict.fromkeys(names)


async def _work(given: Limits, why: str, at: TenantSession, tenant: Tenant, *, as_json: bool) -> None:
    if given:
        tenant = await _set(at, tenant.name, given, why)
    await _show(at, tenant, as_json=as_json)


async def _set(at: TenantSession, name: str, given: Limits, why: str) -> Tenant:
    """The tenant with its new limits."""
    changes = at.cutover.changes
    made = carry_out(
        lambda: at.tenant(name), lambda tenant: changes.set_guards(tenant, who(), _rules(tenant, given), why)
    )
    change = await stepped(made, name)
    typer.echo(f"{name}: limits set (version {change.version})", err=True)
    return await at.tenant(name)


def _rules(tenant: Tenant, given: Limits) -> GuardRules:
    try:
        return tenant.guard.with_limits(given)
    except ValidationError as error:
        fail("; ".join(_sentence(problem["loc"], problem["msg"]) for problem in error.errors()))


def _sentence(place: tuple[int | str, ...], problem: str) -> str:
    return ": ".join([*map(str, place), problem.removeprefix("Value error, ")])


async def _show(at: TenantSession, tenant: Tenant, *, as_json: bool) -> None:
    verdicts = await at.cutover.guards.verdicts(tenant)
    if as_json:
        typer.echo(json.dumps(report(tenant.guard, verdicts), indent=2))
    elif verdicts:
        typer.echo(columns([("holds" if one.holds else "FAILS", one.name, one.sentence) for one in verdicts]))
        typer.echo(f"limits: {limits_text(tenant.guard)}")
    else:
        typer.echo(f"{tenant.name} has no guards: set a limit, such as --stashed-percent 2")
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)
