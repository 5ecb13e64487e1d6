"""What a command that asks or orders something of a tenant works with: the orders and reports of the admin API."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cli.redis_connection import with_redis
from bridge.cli.tenants import named, read_tenants
from bridge.config.settings import Settings
from bridge.cutover.changes import Orders
from bridge.records.reports import Reports
from bridge.records.store import rolls
from bridge.tenants.tenant import Tenant


class Operation:
    """One command's work at the Redis of the bridges."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        addresses = Addresses(settings.prefix)
        self._redis = redis
        self._settings = settings
        self.reports = Reports(redis, addresses, rolls(settings.census_clients, settings.census_days))
        self.orders = Orders(redis, addresses, self.reports)

    async def tenant(self, name: str) -> Tenant:
        """The tenant as it is now; or the end of the command."""
        return named(await read_tenants(self._redis, self._settings), name).tenant


def operate(settings: Settings, name: str, work: Callable[[Operation, Tenant], Awaitable[None]]) -> None:
    """Do the work for one tenant."""

    async def run(redis: Redis) -> None:
        at = Operation(redis, settings)
        await work(at, await at.tenant(name))

    with_redis(settings, run)
