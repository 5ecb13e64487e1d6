"""`aether-bridge tenants stage|rollback|changes`: move a tenant, go back towards legacy, show the change log.

Every running bridge applies a change within two seconds. It never judges whether a step is wise: the tenant's guards
do. A step towards V3 asks first (`asking.py`); a rollback never does.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, TypeVar

import typer

from bridge.cli.asking import ask
from bridge.cli.guards_text import guards_text
from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.prediction_text import prediction_text
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, in_session, operate
from bridge.cli.tenants import TenantArgument
from bridge.cli.user import who
from bridge.config.settings import Settings
from bridge.cutover.changes import (
    GuardFailed,
    NoFacts,
    NothingToRollBack,
    ReasonMissing,
    ShareRefused,
    WantedChange,
    carry_out,
)
from bridge.tenants.change_log import Change, Stale, taking_back
from bridge.tenants.share import share_in
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import ROUTINGS, STAGES, Tenant

T = TypeVar("T")

WhyOption = Annotated[str, typer.Option(help="Why, for the record.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Guards neither hold it nor take it back; needs --why.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask before a step towards V3.")]
ShareOption = Annotated[str | None, typer.Option(metavar="N", help="With drain: how many % move, such as 12.25.")]


@with_settings
def set_stage(
    settings: Settings,
    name: TenantArgument,
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="legacy, bridge, drain or v3; left out, it stays.")
    ] = None,
    share: ShareOption = None,
    routing: Annotated[str | None, typer.Option(help="How V2 is routed: global or group.")] = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move a tenant to a stage; any stage may follow any other. Running bridges obey within two seconds.

    A step towards V3 shows first what it would do, and asks. With --dry-run nothing is changed: it says who would be
    refused and who would no longer hear whom.

    ```sh
    aether-bridge tenants stage acme v3 --dry-run
    aether-bridge tenants stage acme drain --share 25 --why "a quarter of the clients first" --yes
    ```
    """
    wanted = _wanted(stage, share, routing, why, force=force)

    async def predict(at: TenantSession, tenant: Tenant) -> None:
        await _predict(at, tenant, _standing(wanted, tenant), as_json=as_json)

    if dry_run:
        operate(settings, name, predict)
    else:
        operate(settings, name, lambda at, tenant: _step(at, tenant, wanted, yes=yes, as_json=as_json))


def _wanted(stage: str | None, share: str | None, routing: str | None, why: str, *, force: bool) -> WantedChange:
    """What was asked for; or the end of the command."""
    if stage not in (None, *STAGES) or routing not in (None, *ROUTINGS):
        fail(f"a stage is one of {', '.join(STAGES)}, a routing one of {', '.join(ROUTINGS)}")
    if stage is None and share is None and routing is None:
        fail("name a stage, --share or --routing: what is the tenant to become?")
    try:
        percent = None if share is None else share_in(share)
    except ValueError as error:
        fail(str(error))
    return WantedChange(stage, percent, routing, why, force=force)  # type: ignore[arg-type]


def _standing(wanted: WantedChange, tenant: Tenant) -> Standing:
    """Where the tenant is to stand; or the end of the command."""
    try:
        return wanted.standing(tenant)
    except ShareRefused as refused:
        fail(str(refused))


async def _step(at: TenantSession, tenant: Tenant, wanted: WantedChange, *, yes: bool, as_json: bool) -> None:
    """Make the step. If the operator was asked, then only at the version that was shown."""
    changes, after = at.cutover.changes, _standing(wanted, tenant)
    wanted = replace(wanted, confirm=tenant.name)
    held_steps = at.cutover.held_steps
    await stepped(held_steps.noted(tenant.name, who(), changes.check(tenant, after, wanted)), tenant.name)
    if after.is_ahead_of(Standing.of(tenant)) and not yes:
        await ask(at, tenant, after)
        wanted = replace(wanted, version=tenant.version)
    await _make(at, tenant.name, lambda one: changes.make(one, who(), wanted), wanted.version, as_json=as_json)


@with_settings
def roll_back(
    settings: Settings,
    name: TenantArgument,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go back towards legacy: to the newest state on record that is further back, else to bridge. It asks nothing.

    ```sh
    aether-bridge tenants rollback acme --why "clients of the kiosk are not ready"
    ```
    """

    async def predict(at: TenantSession, tenant: Tenant) -> None:
        way = await stepped(at.cutover.changes.way_back(tenant), name)
        await _predict(at, tenant, way.after, as_json=as_json)

    async def go_back(at: TenantSession) -> None:
        await _make(at, name, lambda one: at.cutover.changes.roll_back(one, who(), why), as_json=as_json)

    if dry_run:
        operate(settings, name, predict)
    else:
        in_session(settings, go_back)


@with_settings
def list_changes(
    settings: Settings,
    name: TenantArgument,
    as_json: JsonOption = False,
) -> None:
    """The record: each change of a tenant's stage, share and routing, the newest first.

    ```sh
    aether-bridge tenants changes acme
    ```
    """
    operate(settings, name, lambda at, tenant: _show(at, tenant, as_json=as_json))


async def _show(at: TenantSession, tenant: Tenant, *, as_json: bool) -> None:
    changes = at.cutover.changes
    record = await changes.newest(tenant)
    if changes.unreadable:
        typer.echo(f"aether-bridge: {changes.unreadable} lines of the record cannot be read", err=True)
    if as_json:
        typer.echo(json.dumps([change.as_json() for change in record], indent=2))
        return
    head = ("VERSION", "WHEN", "WHO", "FROM", "TO", "WHY")
    rows = [(str(one.version), one.when, one.who, str(one.before), str(one.after), _why(one)) for one in record]
    typer.echo(columns([head, *rows]))


def _why(change: Change) -> str:
    """The reason; added if it is missing: the guards that were failing, or the version that was rolled back."""
    if change.forced:
        return f"{change.why} (forced past {', '.join(change.forced)})"
    if change.guards is not None:
        return f"{change.why} ({guards_text(*change.guards)})".lstrip()
    if change.rolls_back is None or change.why == taking_back(change.rolls_back):
        return change.why
    return f"{change.why} ({taking_back(change.rolls_back)})"


async def _predict(at: TenantSession, tenant: Tenant, after: Standing, *, as_json: bool) -> None:
    prediction = await at.cutover.dry_run.predict(tenant, after)
    typer.echo(json.dumps(prediction, indent=2) if as_json else prediction_text(prediction))


async def _make(
    at: TenantSession,
    name: str,
    make: Callable[[Tenant], Awaitable[Change]],
    version: int | None = None,
    *,
    as_json: bool,
) -> None:
    change = await stepped(carry_out(lambda: at.tenant(name), make, version), name)
    sentence = f"{name}: {change.before} -> {change.after} (version {change.version})"
    typer.echo(json.dumps(change.as_json(), indent=2) if as_json else sentence)


async def stepped(done: Awaitable[T], name: str) -> T:
    """What was done; if it could not be done, the command ends with the reason."""
    try:
        return await done
    except Stale:
        fail(f"tenant {name!r} was changed by others meanwhile: look again")
    except GuardFailed as failed:
        fail(f"{name} is held back by its guards. {failed} Mend that, or add --force and --why")
    except ReasonMissing:
        fail("a step that is forced needs a reason: add --why")
    except (NoFacts, NothingToRollBack, ShareRefused) as refused:
        fail(str(refused))
