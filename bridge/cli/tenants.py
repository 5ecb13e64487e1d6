"""`aether-bridge tenants list|show`: each tenant as a bridge sees it now, from its configuration and from Redis.

These commands change nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cli.dialect import dialect_rules  # V2
from bridge.cli.options import JsonOption, fail, with_settings
from bridge.cli.redis_connection import warn_of_others, with_redis
from bridge.cli.table import columns
from bridge.config.settings import Settings
from bridge.system.visible import visible
from bridge.tenants.stored_state import read_state
from bridge.tenants.tenant import TENANT_NAME, Tenant, TenantState

TenantArgument = Annotated[str, typer.Argument(metavar="T", help="The tenant's name.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Known:
    """One tenant, and where it is known from.

    `state` is set if Redis knows the tenant. `problem` says why its id map is not used; it is empty if the map is used.
    """

    tenant: Tenant
    is_configured: bool
    state: TenantState | None = None
    problem: str = ""

    @property
    def sources(self) -> list[str]:
        return ["configuration"] * self.is_configured + ["redis"] * (self.state is not None)


@with_settings
def list_tenants(settings: Settings, as_json: JsonOption = False) -> None:
    """List every tenant: where it stands, who hears what, how many ids are mapped.

    ```sh
    aether-bridge tenants list --redis redis://127.0.0.1:6379/0 --config bridge.toml
    ```
    """
    known = with_redis(settings, lambda client: read_tenants(client, settings))
    warn_of_others(settings)
    if as_json:
        typer.echo(json.dumps([_facts(one) for one in known], indent=2))
        return
    head = ("TENANT", "STAGE", "SHARE", "V2 ROUTING", "IDS", "KNOWN FROM")
    typer.echo(columns([head, *map(_row, known)]))
    for one in known:
        if one.problem:
            typer.echo(f"aether-bridge: {one.tenant.name}: {visible(one.problem)}", err=True)


@with_settings
def show_tenant(
    settings: Settings,
    name: TenantArgument,
    as_json: JsonOption = False,
) -> None:
    """Show one tenant whole. With --json its dialect and its id map are there too.

    ```sh
    aether-bridge tenants show acme --redis redis://127.0.0.1:6379/0 --config bridge.toml
    ```
    """
    known = with_redis(settings, lambda client: read_tenants(client, settings))
    warn_of_others(settings)
    one = named(known, name)
    if as_json:
        facts = {
            **_facts(one),
            "dialect": dialect_rules(settings, name),  # V2
            "id_map": _id_map(one),
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        typer.echo(columns(_lines(one)))


async def read_tenants(redis: Redis, settings: Settings) -> list[Known]:
    """Every tenant of the configuration and of Redis, sorted by name."""
    addresses, configured = Addresses(settings.prefix), settings.known_tenants()
    stored: Iterable[bytes] = await redis.hkeys(addresses.tenants)  # type: ignore[assignment]
    names = [text for name in stored if TENANT_NAME.fullmatch(text := name.decode(errors="replace"))]
    states = {name: await read_state(redis, addresses, name) for name in names}
    return [_known(name, configured, states.get(name)) for name in sorted(configured.keys() | states.keys())]


def named(known: Sequence[Known], name: str) -> Known:
    """The tenant of that name. Ends the command if there is none."""
    found = next((one for one in known if one.tenant.name == name), None)
    if found is None:
        names = ", ".join(one.tenant.name for one in known)
        fail(f"no tenant {name!r} is configured or in Redis: there are {names or 'none'}")
    return found


def _known(name: str, configured: Mapping[str, Tenant], state: TenantState | None) -> Known:
    start = configured.get(name) or Tenant(name)
    if state is None:
        return Known(start, is_configured=True)
    try:
        return Known(start.with_state(state), name in configured, state)
    except ValueError as error:
        return Known(
            start.with_state(replace(state, id_map={})), name in configured, state, f"id map unusable: {error}"
        )


def _id_map(one: Known) -> Mapping[str, str]:
    return one.state.id_map if one.state is not None else {}


def _facts(one: Known) -> dict[str, object]:
    tenant = one.tenant
    return {
        "name": tenant.name,
        "stage": tenant.stage,
        "share": tenant.share,
        "v2_routing": tenant.v2_routing,
        "ids": len(_id_map(one)),
        "version": tenant.version,
        "known_from": one.sources,
        "hosts": list(tenant.hosts),
        "deprecated": tenant.deprecated and tenant.deprecated.isoformat(),
        "sunset": tenant.sunset and tenant.sunset.isoformat(),
        "problem": one.problem or None,
    }


def _row(one: Known) -> tuple[str, ...]:
    tenant, share = one.tenant, f"{one.tenant.share} %" if one.tenant.stage == "drain" else "-"
    ids = f"{len(_id_map(one)):,}"
    return tenant.name, tenant.stage, share, tenant.v2_routing, ids, " and ".join(one.sources)


def _lines(one: Known) -> list[tuple[str, str]]:
    facts = _facts(one)
    said = {name: ", ".join(value) if isinstance(value, list) else value for name, value in facts.items()}
    return [(name.replace("_", " "), str(value)) for name, value in said.items() if value not in (None, "")]
