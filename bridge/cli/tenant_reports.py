"""`aether-bridge tenants census|ledger`: the clients still on V2, and the losses of conversion.

These commands change nothing.
"""

import json
from typing import Annotated, Any, Final

import typer

from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, operate
from bridge.cli.tenants import TenantArgument
from bridge.cli.toml import toml_key
from bridge.config.settings import Settings
from bridge.records.report_rows import PROTOCOLS
from bridge.tenants.tenant import Tenant

MOST_ROWS: Final = 100
ALL: Final = "all"


@with_settings
def show_census(
    settings: Settings,
    name: TenantArgument,
    protocol: Annotated[str | None, typer.Option(help="v2, v3, socketio or all; left out, who speaks V2.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Who is still on V2: every client that was seen, the newest first.

    ```sh
    aether-bridge tenants census acme
    ```
    """
    if protocol not in (None, ALL, *PROTOCOLS):
        fail(f"a protocol is one of {', '.join(PROTOCOLS)}, or {ALL}")

    async def show(at: TenantSession, tenant: Tenant) -> None:
        census = await at.reports.census(tenant, protocol)
        typer.echo(json.dumps(census, indent=2) if as_json else _census(census))

    operate(settings, name, show)


@with_settings
def show_ledger(
    settings: Settings,
    name: TenantArgument,
    as_json: JsonOption = False,
) -> None:
    """What became of messages on their way to the other side, and the proprietary keys among them; never a value.

    ```sh
    aether-bridge tenants ledger acme
    ```
    """

    async def show(at: TenantSession, tenant: Tenant) -> None:
        ledger = await at.reports.ledger(tenant)
        typer.echo(json.dumps(ledger, indent=2) if as_json else _ledger(ledger))

    operate(settings, name, show)


def _census(census: dict[str, Any]) -> str:
    head = ("CLIENT", "GROUP", "PROTOCOL", "FIRST SEEN", "LAST SEEN", "MESSAGES", "USER AGENT")
    rows = [
        (
            one["client_id"] or "(no id)",
            one["group_id"],
            one["protocol"],
            one["first_seen"][:19],
            one["last_seen"][:19],
            f"{one['messages']:,}",
            one["user_agent"][:48],
        )
        for one in census["clients"][:MOST_ROWS]
    ]
    more = f"\nand {census['total'] - MOST_ROWS:,} more: --json lists them" if census["total"] > MOST_ROWS else ""
    return f"{census['total']:,} clients in {census['days']} days\n\n{columns([head, *rows])}{more}"


def _ledger(ledger: dict[str, Any]) -> str:
    outcomes = [
        (direction.replace("_", " "), *(f"{name} {number:,}" for name, number in counts.items()))
        for direction, counts in ledger["outcomes"].items()
    ]
    head = ("PROPRIETARY KEY", "SEEN", "VALUES", "LAST SEEN")
    keys = [
        (
            toml_key(key["name"]),
            f"{key['seen']:,}",
            ", ".join(key["types"]),
            key["last_seen"][:19],
        )
        for key in ledger["keys"][:MOST_ROWS]
    ]
    return "\n\n".join([columns(outcomes), columns([head, *keys])] if keys else [columns(outcomes)])
