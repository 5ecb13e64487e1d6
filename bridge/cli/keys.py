"""`aether-bridge keys`: makes, lists and revokes API keys. Redis and bridge.toml get the SHA-256 of a key, never more.

Where a Redis is named, a new key lives there, and works at once on every bridge. Else its table for bridge.toml is
printed.
"""

import json
from functools import partial
from typing import Annotated

import typer
from pydantic import ValidationError
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.private_server import find_url
from bridge.broker.unreadable import answer_of
from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.redis_connection import with_redis
from bridge.cli.table import columns
from bridge.cli.toml import toml_array, toml_text
from bridge.cli.user import who
from bridge.config.settings import Settings
from bridge.config.tables import EVERY_TENANT, Grant, Key, Role
from bridge.handshake import stored_keys
from bridge.handshake.stored_keys import MOST_KEYS, NameTaken, StoredKey, TooManyKeys, read_keys
from bridge.tenants.tenant import DEFAULT_TENANT

with_keyless_settings = partial(with_settings, open_admission=True)
"""A configuration without keys may be for any address here: its first key is about to be made."""


@with_keyless_settings
def new_key(
    settings: Settings,
    name: Annotated[str | None, typer.Option(help="What logs call it; without one, its hash does.")] = None,
    tenant: Annotated[
        list[str] | None, typer.Option(help="A tenant that it opens; may be repeated. * is every one.")
    ] = None,
    broadcast: Annotated[Grant, typer.Option(help="How far its holder's broadcasts reach.")] = "tenant",
    role: Annotated[
        Role | None, typer.Option(help="Of the admin API: a viewer reads, an operator moves tenants, an admin may all.")
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="The same as --role admin.")] = False,
    print_toml: Annotated[bool, typer.Option("--print-toml", help="Print it for bridge.toml; store nothing.")] = False,
) -> None:
    """Make a key, and print it this once. Where a Redis is named, it works at once on every bridge there.

    Without a Redis, or with --print-toml, nothing is stored: the table for bridge.toml is printed, which knows the key
    by its SHA-256. A key must name its tenants where there are any, and where it has a role.

    ```sh
    aether-bridge keys new --name "acme web" --tenant acme --redis redis://127.0.0.1:6379/0
    aether-bridge keys new --name "acme web" --tenant acme --print-toml
    ```
    """
    if admin and role not in (None, "admin"):
        fail(f"--admin and --role {role} contradict: leave one out")
    rights: Role = "admin" if admin else role or "none"
    tenants = _tenants(settings, tenant or [], rights)
    try:
        text, key = stored_keys.new_key(name or "", tenants, broadcast, rights, who())
    except ValidationError as error:
        fail("; ".join(str(problem["msg"]).removeprefix("Value error, ") for problem in error.errors()))
    if print_toml or not _is_redis_named(settings):
        typer.echo(f"The key, shown this once: {text}\n")
        typer.echo("Clients send it as ?api_key=…; the bridge admits it with this in bridge.toml:\n")
        typer.echo(_table(key))
    else:
        _store(settings, key)
        typer.echo(f"The key, shown this once: {text}\n")
        typer.echo(f"Clients send it as ?api_key=…; {key.name!r} works from now on, on every bridge at this Redis.")


@with_keyless_settings
def list_keys(settings: Settings, as_json: JsonOption = False) -> None:
    """List the keys of the configuration and of Redis, without their text: that is nowhere.

    ```sh
    aether-bridge keys list --redis redis://127.0.0.1:6379/0 --config bridge.toml
    ```
    """
    stored = _stored(settings) if _is_redis_named(settings) else ()
    facts = [_facts(key) for key in sorted((*settings.keys, *stored), key=lambda key: key.name)]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    head = ("NAME", "TENANTS", "BROADCAST", "ROLE", "WHERE", "MADE")
    typer.echo(columns([head, *(_row(key) for key in facts)]))


@with_keyless_settings
def revoke_key(
    settings: Settings, name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name.", show_default=False)]
) -> None:
    """Revoke a key that lives in Redis: its connections end within two seconds, on every bridge.

    ```sh
    aether-bridge keys revoke "acme web" --redis redis://127.0.0.1:6379/0
    ```
    """
    addresses = Addresses(settings.prefix)
    is_in_file = any(key.name == name for key in settings.keys)
    if _is_redis_named(settings) and with_redis(settings, lambda redis: stored_keys.revoke(redis, addresses, name)):
        typer.echo(f"{name!r} is revoked: its connections end within two seconds")
        if not is_in_file:
            return
    if is_in_file:
        fail(f"{name!r} stands in the configuration: take it out of the file, and have each bridge read that anew")
    fail(f"no key is called {name!r}" + ("" if _is_redis_named(settings) else ": name the Redis of your bridges"))


def _is_redis_named(settings: Settings) -> bool:
    """Whether a Redis is configured, or a private server runs in a `data_dir` that is."""
    return settings.redis_url is not None or (
        "data_dir" in settings.model_fields_set and find_url(settings.data_dir) is not None
    )


def _tenants(settings: Settings, given: list[str], role: Role) -> tuple[str, ...]:
    """The tenants of a new key; or the end of the command, if they must be named and are not."""
    if given:
        return tuple(given)
    if settings.tenants or role != "none":
        known = ", ".join(sorted(settings.known_tenants().keys() - {DEFAULT_TENANT}))
        there_are = f" (there are {known})" if known else ""
        fail(f"which tenants does it open? Add --tenant NAME{there_are}, or --tenant '*' for every one")
    return (DEFAULT_TENANT,)


def _store(settings: Settings, key: StoredKey) -> None:
    """Have Redis hold the key. Ends the command if its name is taken, or there are too many."""
    if any(key.name == other.name for other in settings.keys):
        fail(f"a key of the configuration is called {key.name!r}: choose another --name")
    addresses = Addresses(settings.prefix)

    async def work(redis: Redis) -> set[str]:
        await stored_keys.add(redis, addresses, key)
        names: list[bytes] = await answer_of(redis.hkeys(addresses.tenants), [])
        return {name.decode(errors="replace") for name in names}

    try:
        in_redis = with_redis(settings, work)
    except NameTaken:
        fail(f"a key in Redis is called {key.name!r}: choose another --name, or revoke that one")
    except TooManyKeys:
        fail(f"Redis holds {MOST_KEYS:,} keys, and no more: revoke some")
    if unknown := set(key.tenants) - in_redis - settings.known_tenants().keys() - {EVERY_TENANT}:
        names = ", ".join(sorted(unknown))
        typer.echo(f"aether-bridge: no tenant is known here as {names}: the key opens it once there is", err=True)


def _stored(settings: Settings) -> tuple[StoredKey, ...]:
    return with_redis(settings, lambda redis: read_keys(redis, Addresses(settings.prefix))).keys


def _facts(key: Key) -> dict[str, object]:
    facts = {"name": key.name, "sha256": key.sha256, "tenants": list(key.tenants), "broadcast": key.broadcast}
    made_at, made_by = (key.made_at, key.made_by) if isinstance(key, StoredKey) else (None, None)
    where = "redis" if isinstance(key, StoredKey) else "configuration"
    return {**facts, "role": key.rights, "where": where, "made_at": made_at, "made_by": made_by}


def _row(facts: dict[str, object]) -> tuple[str, ...]:
    made = " by ".join(str(facts[name]) for name in ("made_at", "made_by") if facts[name])
    tenants = facts["tenants"]
    listed = ", ".join(tenants) if isinstance(tenants, list) else ""
    return str(facts["name"]), listed, str(facts["broadcast"]), str(facts["role"]), str(facts["where"]), made or "-"


def _table(key: Key) -> str:
    """The key as a table of bridge.toml."""
    role = f"admin = {str(key.rights == 'admin').lower()}"
    return "\n".join(
        [
            "[[keys]]",
            f"name = {toml_text(key.name)}",
            f"sha256 = {toml_text(key.sha256)}",
            f"tenants = {toml_array(key.tenants)}",
            f"broadcast = {toml_text(key.broadcast)}",
            role if key.rights in ("none", "admin") else f"role = {toml_text(key.rights)}",
        ]
    )
