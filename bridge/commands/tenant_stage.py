"""`aether-bridge tenants stage|rollback|changes`: move a tenant, take the last step back, read the record.

Every running bridge obeys within two seconds. It never judges whether a step is wise.
"""

import getpass
import json
import socket
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.changes import Change, Stale, Standing, back, make, newest, step_back
from bridge.commands.options import ConfigOption, DataDirOption, JsonOption, RedisOption, fail, read_settings
from bridge.commands.redis_connection import with_redis
from bridge.commands.table import columns
from bridge.commands.tenants import TenantArgument, read_tenants
from bridge.settings import Settings
from bridge.tenants import ROUTINGS, STAGES, Routing, Stage, Tenant
from v3.session import timestamp

ATTEMPTS: Final = 5
WhyOption = Annotated[str, typer.Option(help="Why, for the record.")]

Plan = Callable[[Tenant, list[Change]], Change]


def set_stage(
    name: TenantArgument,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="legacy, bridge, drain or v3.", show_default=False)],
    share: Annotated[int | None, typer.Option(min=0, max=100, help="With drain: how many in a hundred move.")] = None,
    routing: Annotated[str | None, typer.Option(help="How V2 is routed: global or group.")] = None,
    why: WhyOption = "",
    redis: RedisOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Move a tenant to a stage; any stage may follow any other. Running bridges obey within two seconds.

    ```sh
    aether-bridge tenants stage acme drain --share 25 --why "a quarter of the clients first"
    ```
    """
    if stage not in STAGES or routing not in (None, *ROUTINGS):
        fail(f"a stage is one of {', '.join(STAGES)}, a routing one of {', '.join(ROUTINGS)}")
    settings = read_settings(config, redis_url=redis, data_dir=data_dir)

    def plan(tenant: Tenant, _record: list[Change]) -> Change:
        return _to(tenant, _standing(tenant, stage, share, routing), why)  # type: ignore[arg-type]

    _carry_out(settings, name, plan)


def roll_back(
    name: TenantArgument,
    why: WhyOption = "",
    redis: RedisOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Take a tenant's last step back. Said again, it takes back the step before that.

    ```sh
    aether-bridge tenants rollback acme --why "clients of the kiosk are not ready"
    ```
    """
    settings = read_settings(config, redis_url=redis, data_dir=data_dir)

    def plan(tenant: Tenant, record: list[Change]) -> Change:
        last = step_back(record)
        if last is None:
            fail(f"nothing is left to take back: tenant {name!r} stands where it started")
        return back(tenant, last, who(), timestamp(time.time_ns() // 1_000), why)

    _carry_out(settings, name, plan)


def list_changes(
    name: TenantArgument,
    redis: RedisOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """The record: each change of a tenant's stage, share and routing, the newest first.

    ```sh
    aether-bridge tenants changes acme
    ```
    """
    settings = read_settings(config, redis_url=redis, data_dir=data_dir)
    record = with_redis(settings, lambda client: newest(client, Addresses(settings.prefix), name))
    if as_json:
        typer.echo(json.dumps([change.as_json() for change in record], indent=2))
        return
    head = ("VERSION", "WHEN", "WHO", "FROM", "TO", "WHY")
    rows = [(str(one.version), one.when, one.who, str(one.before), str(one.after), one.why) for one in record]
    typer.echo(columns([head, *rows]))


def who() -> str:
    """Whoever runs this command, for the record."""
    try:
        user = getpass.getuser()
    except OSError:
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _standing(tenant: Tenant, stage: Stage, share: int | None, routing: Routing | None) -> Standing:
    return Standing(stage, tenant.share if share is None else share, routing or tenant.v2_routing)


def _to(tenant: Tenant, after: Standing, why: str) -> Change:
    when = timestamp(time.time_ns() // 1_000)
    return Change(tenant.name, tenant.version, who(), when, Standing.of(tenant), after, why)


def _carry_out(settings: Settings, name: str, plan: Plan) -> None:
    change = with_redis(settings, lambda client: _make(client, settings, name, plan))
    typer.echo(f"{name}: {change.before} -> {change.after} (version {change.version})")


async def _make(client: Redis, settings: Settings, name: str, plan: Plan) -> Change:
    """Plan and make the change; planned anew where somebody else was quicker."""
    addresses = Addresses(settings.prefix)
    attempts = ATTEMPTS
    while True:
        known = next((one for one in await read_tenants(client, settings) if one.tenant.name == name), None)
        if known is None:
            fail(f"no tenant {name!r} is configured or in Redis: `aether-bridge tenants list` names them")
        try:
            return await make(client, addresses, plan(known.tenant, await newest(client, addresses, name)))
        except Stale:
            attempts -= 1
            if not attempts:
                fail(f"tenant {name!r} is being changed by others all the time: try again")
