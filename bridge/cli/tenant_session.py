"""The parts for a command that reads or changes a tenant: the same ones as in the admin API."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cli.redis_connection import with_redis
from bridge.cli.tenants import named, read_tenants
from bridge.config.settings import Settings
from bridge.cutover.cutover import Cutover
from bridge.records.reports import Reports
from bridge.records.retention import Tables
from bridge.records.store_reader import StoreReader
from bridge.tenants.tenant import Tenant


class TenantSession:
    """The parts for one command, connected to the Redis of the bridges."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        tables = Tables.bounded(settings.census_clients, settings.census_days)
        reader = StoreReader(redis, Addresses(settings.prefix), tables)
        self.reports = Reports(reader)
        self.cutover = Cutover(reader, self.reports.turns)

    async def tenant(self, name: str) -> Tenant:
        """The tenant as it is now; if there is none with this name, the command ends with an error."""
        return named(await read_tenants(self._redis, self._settings), name).tenant


def in_session(settings: Settings, work: Callable[[TenantSession], Awaitable[None]]) -> None:
    """Connect to Redis, and call `work`."""
    with_redis(settings, lambda redis: work(TenantSession(redis, settings)))


def operate(settings: Settings, name: str, work: Callable[[TenantSession, Tenant], Awaitable[None]]) -> None:
    """Connect to Redis, and call `work` for one tenant; without such a tenant the command ends with an error."""

    async def run(at: TenantSession) -> None:
        await work(at, await at.tenant(name))

    in_session(settings, run)
