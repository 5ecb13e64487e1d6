"""`aether-bridge tenants ids`: adds ids of a file to one tenant's id map, replaces the map, or takes that back.

All of the file, or nothing.

Decided here: an unknown tenant is accepted only if it could have clients: a key opens every tenant, or no keys are
configured. The command then says that the tenant is new. An empty file needs `--clear`, and then takes the map away.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cli.id_map_file import lines_in, read_id_map
from bridge.cli.lines import opened
from bridge.cli.options import fail, with_settings
from bridge.cli.redis_connection import with_redis
from bridge.cli.table import counted
from bridge.cli.tenants import TenantArgument, read_tenants
from bridge.cli.user import who
from bridge.config.settings import Settings
from bridge.cutover.changes import now
from bridge.system.visible import visible
from bridge.tenants.id_map import (
    NothingToTakeBack,
    Replacement,
    line_of,
    replace_id_map,
    take_back_id_map,
)
from bridge.tenants.tenant import TENANT_NAME, Tenant
from bridge.tenants.v2 import Conflicts, add_to_id_map

MOST_NAMED: Final = 20
Made = Callable[..., Awaitable[Replacement]]


@with_settings
def change_ids(
    settings: Settings,
    name: TenantArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.csv", help="v2_id,vision_id a line; - is standard input.")
    ] = None,
    whole: Annotated[bool, typer.Option("--replace", help="The file is the whole map: what it lacks goes.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back the map from before the last change.")] = False,
    why: Annotated[str, typer.Option(help="The reason, for the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before ids are removed or changed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare, and change nothing.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Let an empty file take the whole map away.")] = False,
) -> None:
    """Add ids to a tenant's id map: V2 id to Vision ID, one to one. Running bridges obey within two seconds.

    Clients that are connected under a name that changes are closed with 1012, and come back under the new one. A
    header line is allowed. If anything is wrong in the file, or in conflict with what is mapped already, every problem
    is named with its line, and nothing changes. The change is in the record, and `--undo` takes it back.

    ```sh
    echo 42,Xk3vT9 > ids.csv
    aether-bridge tenants ids acme ids.csv --dry-run --redis redis://127.0.0.1:6379/0
    ```
    """
    if (file is None) != undo:
        fail("name a file of ids, or --undo: one of them")
    text = "" if file is None else _text(file)
    id_map = {} if file is None else _read(file, text)
    if file is not None and not id_map and not clear:
        fail(f"{file} holds no ids: to take the whole map of {name} away, add --clear")
    clears, yes = not undo and not id_map, yes or undo or clear
    make = take_back_id_map if undo else partial(replace_id_map if whole or clears else add_to_id_map, id_map=id_map)
    try:
        with_redis(settings, lambda client: _order(client, settings, name, why, make, dry_run=dry_run, yes=yes))
    except Conflicts as conflicts:
        _name_conflicts(file, text, conflicts)
    except NothingToTakeBack:
        fail(f"the id map of {name} was not changed since it is kept here: nothing can be taken back")


async def _order(
    redis: Redis, settings: Settings, name: str, why: str, make: Made, *, dry_run: bool, yes: bool
) -> None:
    addresses = Addresses(settings.prefix)
    tenant = await _tenant(redis, settings, addresses, name)
    change = partial(make, redis, addresses, name)
    if dry_run or not yes:
        foreseen = await change(dry_run=True)
        if dry_run or foreseen.is_empty:
            typer.echo(_sentence(name, foreseen, dry_run=dry_run))
            return
        _ask(name, foreseen)
    typer.echo(_sentence(name, await change(line=line_of(tenant, who(), now(), why)), dry_run=False))


async def _tenant(redis: Redis, settings: Settings, addresses: Addresses, name: str) -> Tenant:
    if name not in settings.known_tenants() and not await redis.hexists(addresses.tenants, name):
        _accept_new(name, settings)
    known = await read_tenants(redis, settings)
    return next((one.tenant for one in known if one.tenant.name == name), Tenant(name))


def _ask(name: str, foreseen: Replacement) -> None:
    """Say what would go or change, and ask. Ends the command if the answer is no, or if nobody can be asked."""
    gone = sorted(foreseen.removed | foreseen.changed)
    if not gone:
        return
    named = ", ".join(map(visible, gone[:MOST_NAMED])) + (", …" if len(gone) > MOST_NAMED else "")
    typer.echo(f"{name}: {foreseen}; removed or changed: {named}", err=True)
    if not sys.stdin.isatty():
        fail(f"{counted(len(gone), 'id')} would be removed or changed: add --yes, or leave out --replace to add alone")
    if not typer.confirm("Do it?", err=True):
        fail("nothing was changed")


def _name_conflicts(file: Path | None, text: str, conflicts: Conflicts) -> None:
    lines = lines_in(text)
    for v2_id, sentence in conflicts.sentences.items():
        typer.echo(f"{file}: line {lines[v2_id]}: {visible(sentence)}", err=True)
    fail(f"{conflicts}: nothing was changed; --replace replaces the whole map")


def _text(file: Path) -> str:
    """The text of the file. Ends the command if it is not UTF-8."""
    with opened(file) as stream:
        data = stream.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fail(f"{file}: line {line} is not UTF-8; save the file as UTF-8")


def _read(file: Path, text: str) -> dict[str, str]:
    """The map in the file. Ends the command if the file has problems, after a line for each of them."""
    id_map, problems = read_id_map(text)
    for problem in problems:
        typer.echo(f"{file}: line {problem.line}: {visible(problem.sentence)}", err=True)
    if problems:
        fail(f"{file} has {counted(len(problems), 'problem')}: nothing was changed")
    return id_map


def _accept_new(name: str, settings: Settings) -> None:
    if not TENANT_NAME.fullmatch(name):
        fail(f"{name!r} cannot be a tenant: a name is 1 to 64 of A-Z a-z 0-9 _ -")
    if not settings.opens(name):
        known = ", ".join(settings.known_tenants())
        fail(f"no tenant {name!r} is configured or in Redis, and no key opens it: there are {known}")
    typer.echo(f"aether-bridge: {name} is new: it was neither configured nor in Redis", err=True)


def _sentence(name: str, done: Replacement, *, dry_run: bool) -> str:
    ids = counted(done.size, "id")
    if done.is_empty:
        return f"{name}: {ids}, as before: nothing to change"
    if dry_run:
        return f"{name}: would have {ids}: {done}; nothing was changed"
    return f"{name}: {ids}: {done}; version {done.version}"
