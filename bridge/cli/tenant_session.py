"""The parts for a command that reads or changes a tenant: the same ones as in the admin API."""

import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.redis_clock import seconds_ahead
from bridge.cli.redis_connection import warn_of_others, with_redis
from bridge.cli.tenants import named, read_tenants
from bridge.config.settings import Settings
from bridge.cutover.cutover import Cutover
from bridge.records.reports import Reports
from bridge.records.retention import Tables
from bridge.records.store_reader import StoreReader
from bridge.tenants.tenant import Tenant


class TenantSession:
    """The parts for one command, connected to the Redis of the bridges."""

    def __init__(self, redis: Redis, settings: Settings, seconds: Callable[[], float] = time.time) -> None:
        """`seconds` returns the time of day as Redis has it."""
        self._redis = redis
        self._settings = settings
        tables = Tables.bounded(settings.census_clients, settings.census_days)
        self.reader = StoreReader(redis, Addresses(settings.prefix), tables, seconds)
        self.reports = Reports(self.reader)
        self.cutover = Cutover(self.reader, self.reports.turns, has_records=settings.records)

    async def tenant(self, name: str) -> Tenant:
        """The tenant as it is now; if there is none with this name, the command ends with an error."""
        return named(await read_tenants(self._redis, self._settings), name).tenant


def in_session(settings: Settings, work: Callable[[TenantSession], Awaitable[None]]) -> None:
    """Connect to Redis, and call `work`."""

    async def run(redis: Redis) -> None:
        ahead = await seconds_ahead(redis)
        await work(TenantSession(redis, settings, lambda: time.time() + ahead))

    with_redis(settings, run)


def operate(settings: Settings, name: str, work: Callable[[TenantSession, Tenant], Awaitable[None]]) -> None:
    """Connect to Redis, and call `work` for one tenant; without such a tenant the command ends with an error.

    What Redis does not hold of a tenant, such as limits of guards, is taken from the configuration that was read here.
    So it is said first if running bridges go by another one.
    """
    warn_of_others(settings)

    async def run(at: TenantSession) -> None:
        await work(at, await at.tenant(name))

    in_session(settings, run)
