"""`aether-bridge tenants ledger`: what became of messages on their way to the other side. It changes nothing."""

import json
from typing import Any, Final

import typer

from bridge.cli.options import JsonOption, with_settings
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, operate
from bridge.cli.tenants import TenantArgument
from bridge.cli.toml import toml_key
from bridge.config.settings import Settings
from bridge.tenants.tenant import Tenant

MOST_ROWS: Final = 100


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
