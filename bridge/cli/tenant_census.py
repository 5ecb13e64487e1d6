"""`aether-bridge tenants census|turned-away`: who is on V2, who has arrived on V3, who has not, and who is refused.

These commands change nothing.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.table import columns
from bridge.cli.tenant_session import TenantSession, in_session, operate
from bridge.cli.tenants import TenantArgument
from bridge.config.settings import Settings
from bridge.records.refused_clients import NO_TENANT
from bridge.records.report_rows import PROTOCOLS
from bridge.records.whereabouts import LISTS, ListName
from bridge.tenants.tenant import Tenant

MOST_ROWS: Final = 100
ALL: Final = "all"

ListOption = Annotated[str, typer.Option("--list", metavar="LIST", help=f"{', '.join(LISTS[:-1])} or {LISTS[-1]}.")]
ProtocolOption = Annotated[
    str | None, typer.Option(help="Instead, everyone seen by it: v2, v3, socketio or all.", metavar="PROTOCOL")
]
Cell = Callable[[Mapping[str, Any]], str]

_PERSON: Final[dict[str, Cell]] = {
    "CLIENT": lambda one: one["client_id"] or "(no id)",
    "GROUP": lambda one: one["group_id"],
    "PROTOCOL": lambda one: one["protocol"],
}
_LAST_SEEN: Final[dict[str, Cell]] = {
    "LAST SEEN ON V2": lambda one: _second(one["last_seen"]),
    "MESSAGES": lambda one: f"{one['messages']:,}",
}
_AGENT: Final[dict[str, Cell]] = {"USER AGENT": lambda one: one["user_agent"][:48]}
_MOVED: Final[dict[str, Cell]] = {"MOVED": lambda one: _second(one["moved_at"])}
_REFUSED: Final[dict[str, Cell]] = {
    "REFUSED": lambda one: f"{one['refused']:,}",
    "FOR": lambda one: one["code"] or "-",
}
COLUMNS: Final[Mapping[ListName, Mapping[str, Cell]]] = {
    "still": {**_PERSON, "FIRST SEEN": lambda one: _second(one["first_seen"]), **_LAST_SEEN, **_AGENT},
    "arrived": {**_PERSON, **_LAST_SEEN, **_MOVED, "ARRIVED": lambda one: _second(one["arrived_at"]), **_AGENT},
    "not_arrived": {**_PERSON, **_LAST_SEEN, **_MOVED, "KNOCKS": lambda one: f"{one['knocks']:,}", **_AGENT},
    "turned_away": {
        **_PERSON,
        **_REFUSED,
        "LAST": lambda one: _second(one["refused_at"]),
        "FROM": lambda one: one["address"] or "-",
        **_AGENT,
    },
}
SEEN: Final[Mapping[str, Cell]] = {
    **_PERSON,
    "FIRST SEEN": lambda one: _second(one["first_seen"]),
    "LAST SEEN": lambda one: _second(one["last_seen"]),
    "MESSAGES": lambda one: f"{one['messages']:,}",
    **_AGENT,
}


@with_settings
def show_census(
    settings: Settings,
    name: TenantArgument,
    which: ListOption = "still",
    protocol: ProtocolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who is still on V2, who has arrived on V3, who was moved and has not, and who is turned away.

    ```sh
    aether-bridge tenants census acme --list not_arrived
    ```
    """
    if protocol not in (None, ALL, *PROTOCOLS):
        fail(f"a protocol is one of {', '.join(PROTOCOLS)}, or {ALL}")
    chosen = _list_of(which)
    operate(settings, name, lambda at, tenant: _show(at, tenant, chosen, protocol, as_json=as_json))


async def _show(at: TenantSession, tenant: Tenant, chosen: ListName, protocol: str | None, *, as_json: bool) -> None:
    if protocol is not None:
        census = await at.reports.census(tenant, protocol)
        _say(census, f"{_clients(census['total'])} in {census['days']} days", SEEN, as_json=as_json)
        return
    found = await at.reports.whereabouts(tenant, chosen)
    _say(found, _counts(found), COLUMNS[chosen], as_json=as_json)


@with_settings
def show_turned_away(settings: Settings, as_json: JsonOption = False) -> None:
    """Who is refused before it is known which tenant it is for: unknown keys, mostly.

    ```sh
    aether-bridge tenants turned-away
    ```
    """

    async def show(at: TenantSession) -> None:
        found = await at.reports.whereabouts(Tenant(NO_TENANT), "turned_away")
        _say(found, f"{_clients(found['total'])} turned away", COLUMNS["turned_away"], as_json=as_json)

    in_session(settings, show)


def _list_of(word: str) -> ListName:
    """The list of this name; or the end of the command."""
    found = next((name for name in LISTS if name == word), None)
    if found is None:
        fail(f"a list is one of {', '.join(LISTS)}")
    return found


def _say(census: dict[str, Any], title: str, cells: Mapping[str, Cell], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(census, indent=2))
        return
    rows = [[cell(one) for cell in cells.values()] for one in census["clients"][:MOST_ROWS]]
    more = census["total"] - MOST_ROWS
    rest = f"\nand {more:,} more: --json lists them" if more > 0 else ""
    typer.echo(f"{title}\n\n{columns([list(cells), *rows])}{rest}" if rows else title)


def _counts(found: dict[str, Any]) -> str:
    counts = found["counts"]
    return (
        f"{_clients(counts['still'])} still on V2, {counts['arrived']:,} arrived on V3, "
        f"{counts['not_arrived']:,} moved and not arrived; {counts['turned_away']:,} turned away"
    )


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number:,} clients"


def _second(moment: str | None) -> str:
    return "-" if moment is None else moment[:19]
