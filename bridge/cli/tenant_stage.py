"""`aether-bridge tenants stage|rollback|changes`: move a tenant, roll the last step back, show the change log.

Every running bridge applies a change within two seconds. It never judges whether a step is wise: the tenant's guards
do.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.prediction_text import prediction_text
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, in_session, operate
from bridge.cli.tenants import TenantArgument
from bridge.cli.user import who
from bridge.config.settings import Settings
from bridge.cutover.changes import Changes, GuardFailed, NothingToRollBack, ReasonMissing, WantedChange, carry_out
from bridge.tenants.change_log import Change, Stale, taking_back
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import ROUTINGS, STAGES, Tenant

WhyOption = Annotated[str, typer.Option(help="Why, for the record.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
ForceOption = Annotated[bool, typer.Option("--force", help="In spite of failing guards; needs --why.")]


@with_settings
def set_stage(
    settings: Settings,
    name: TenantArgument,
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="legacy, bridge, drain or v3; left out, it stays.")
    ] = None,
    share: Annotated[int | None, typer.Option(min=0, max=100, help="With drain: how many in a hundred move.")] = None,
    routing: Annotated[str | None, typer.Option(help="How V2 is routed: global or group.")] = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move a tenant to a stage; any stage may follow any other. Running bridges obey within two seconds.

    With --dry-run nothing is changed: it says who would be refused and who would no longer hear whom.

    ```sh
    aether-bridge tenants stage acme v3 --dry-run
    aether-bridge tenants stage acme drain --share 25 --why "a quarter of the clients first"
    ```
    """
    wanted = _wanted(stage, share, routing, why, force=force)
    if dry_run:
        operate(settings, name, lambda at, tenant: _predict(at, tenant, wanted.standing(tenant), as_json=as_json))
    else:
        _make(settings, name, lambda changes, one: changes.make(one, who(), wanted), as_json=as_json)


def _wanted(stage: str | None, share: int | None, routing: str | None, why: str, *, force: bool) -> WantedChange:
    """What was asked for; or the end of the command."""
    if stage not in (None, *STAGES) or routing not in (None, *ROUTINGS):
        fail(f"a stage is one of {', '.join(STAGES)}, a routing one of {', '.join(ROUTINGS)}")
    if stage is None and share is None and routing is None:
        fail("name a stage, --share or --routing: what is the tenant to become?")
    return WantedChange(stage, share, routing, why, force=force)  # type: ignore[arg-type]


@with_settings
def roll_back(
    settings: Settings,
    name: TenantArgument,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a tenant's last step back. Said again, it takes back the step before that.

    ```sh
    aether-bridge tenants rollback acme --why "clients of the kiosk are not ready"
    ```
    """

    async def predict(at: TenantSession, tenant: Tenant) -> None:
        before = (await _stepped(at.cutover.changes.last(tenant), name)).before
        await _predict(at, tenant, before, as_json=as_json)

    if dry_run:
        operate(settings, name, predict)
    else:
        _make(settings, name, lambda changes, one: changes.roll_back(one, who(), why), as_json=as_json)


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
    if change.rolls_back is None or change.why == taking_back(change.rolls_back):
        return change.why
    return f"{change.why} ({taking_back(change.rolls_back)})"


async def _predict(at: TenantSession, tenant: Tenant, after: Standing, *, as_json: bool) -> None:
    prediction = await at.cutover.dry_run.predict(tenant, after)
    typer.echo(json.dumps(prediction, indent=2) if as_json else prediction_text(prediction))


def _make(
    settings: Settings, name: str, make: Callable[[Changes, Tenant], Awaitable[Change]], *, as_json: bool
) -> None:
    async def work(at: TenantSession) -> None:
        made = carry_out(lambda: at.tenant(name), lambda tenant: make(at.cutover.changes, tenant))
        change = await _stepped(made, name)
        sentence = f"{name}: {change.before} -> {change.after} (version {change.version})"
        typer.echo(json.dumps(change.as_json(), indent=2) if as_json else sentence)

    in_session(settings, work)


async def _stepped(change: Awaitable[Change], name: str) -> Change:
    """The change that was made; if it was not made, the command ends with the reason."""
    try:
        return await change
    except Stale:
        fail(f"tenant {name!r} is being changed by others all the time: try again")
    except GuardFailed as failed:
        fail(f"{name} is held back by its guards. {failed} Mend that, or add --force and --why")
    except ReasonMissing:
        fail("a step in spite of a failing guard needs a reason: add --why")
    except NothingToRollBack:
        fail(f"nothing is left to take back: tenant {name!r} stands where it started")
