"""`aether-bridge tenants ids`: replaces one tenant's id map in Redis by a file. All of the file, or nothing.

Decided here: an unknown tenant is accepted only if it could have clients: a key opens every tenant, or no keys are
configured. The command then says that the tenant is new. An empty file needs `--clear`.
"""

from pathlib import Path
from typing import Annotated

import typer
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cli.id_map_file import read_id_map
from bridge.cli.lines import opened
from bridge.cli.options import fail, with_settings
from bridge.cli.redis_connection import with_redis
from bridge.cli.table import visible
from bridge.cli.tenants import TenantArgument
from bridge.config.settings import Settings
from bridge.tenants.id_map import Replacement, replace_id_map
from bridge.tenants.tenant import TENANT_NAME


@with_settings
def replace_ids(
    settings: Settings,
    name: TenantArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="v2_id,vision_id a line; - is standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare, and change nothing.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Let an empty file take the whole map away.")] = False,
) -> None:
    """Replace a tenant's id map: V2 id to Vision ID, one to one. Running bridges obey within two seconds.

    Clients that are connected under a name that changes are closed with 1012, and come back under the new one. A
    header line is allowed. If anything is wrong in the file every problem is named with its line, and nothing changes.

    ```sh
    echo 42,Xk3vT9 > ids.csv
    aether-bridge tenants ids acme ids.csv --dry-run --redis redis://127.0.0.1:6379/0
    ```
    """
    id_map = _read(file)
    if not id_map and not clear:
        fail(f"{file} holds no ids: to take the whole map of {name} away, add --clear")
    replacement = with_redis(settings, lambda client: _replace(client, settings, name, id_map, dry_run=dry_run))
    typer.echo(_sentence(name, len(id_map), replacement, dry_run=dry_run))


def _read(file: Path) -> dict[str, str]:
    """The map in the file. Ends the command if the file has problems, after a line for each of them."""
    with opened(file) as stream:
        data = stream.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fail(f"{file}: line {line} is not UTF-8; save the file as UTF-8")
    id_map, problems = read_id_map(text)
    for problem in problems:
        typer.echo(f"{file}: line {problem.line}: {visible(problem.sentence)}", err=True)
    if problems:
        fail(f"{file} has {len(problems)} problem{'s' * (len(problems) > 1)}: nothing was changed")
    return id_map


async def _replace(
    redis: Redis, settings: Settings, name: str, id_map: dict[str, str], *, dry_run: bool
) -> Replacement:
    addresses = Addresses(settings.prefix)
    if name not in settings.known_tenants() and not await redis.hexists(addresses.tenants, name):
        _accept_new(name, settings)
    return await replace_id_map(redis, addresses, name, id_map, dry_run=dry_run)


def _accept_new(name: str, settings: Settings) -> None:
    if not TENANT_NAME.fullmatch(name):
        fail(f"{name!r} cannot be a tenant: a name is 1 to 64 of A-Z a-z 0-9 _ -")
    if not settings.opens(name):
        known = ", ".join(settings.known_tenants())
        fail(f"no tenant {name!r} is configured or in Redis, and no key opens it: there are {known}")
    typer.echo(f"aether-bridge: {name} is new: it was neither configured nor in Redis", err=True)


def _sentence(name: str, size: int, replacement: Replacement, *, dry_run: bool) -> str:
    if replacement.is_empty:
        return f"{name}: {size:,} ids, as before: nothing to change"
    counts = (
        f"{len(replacement.added):,} added, {len(replacement.removed):,} removed, {len(replacement.changed):,} changed"
    )
    if dry_run:
        return f"{name}: would have {size:,} ids: {counts}; nothing was changed"
    return f"{name}: {size:,} ids: {counts}; version {replacement.version}"
