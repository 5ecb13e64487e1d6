"""Redis has lost what we kept there: whoever is connected is noted again, and the loss is written down.

It is said in the change log of each tenant that has lost something, so that an operator who reads a census, a ledger or
a history knows from when on it holds. Nothing that was lost comes back.
"""

from collections.abc import Callable, Iterable

import structlog

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records.recorder import Recorder
from bridge.tenants.change_log import LOSS, REPLACED, log_command, loss
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant

log = structlog.get_logger(__name__)


class RedisLoss:
    """What one process does about it. Each method is told by the part that has found something lost."""

    def __init__(
        self, bus: Bus, addresses: Addresses, table: TenantTable, recorder: Recorder, now: Callable[[], str]
    ) -> None:
        """`now` gives the time as ISO 8601."""
        self._bus = bus
        self._addresses = addresses
        self._table = table
        self._recorder = recorder
        self._now = now

    def data_lost(self, must_say: bool) -> None:  # noqa: FBT001 - as the memory says it
        """Redis came back without its data; one process alone `must_say` so for every tenant."""
        log.warning("redis_lost_its_data")
        self._recorder.see_everyone_again()
        if must_say:
            for tenant in self._table.all():
                self._say(tenant, LOSS)

    def change_logs_lost(self, tenants: Iterable[Tenant]) -> None:
        """Something else stood in the place of these tenants' change logs."""
        log.warning("record_lost", tenants=[tenant.name for tenant in tenants])
        for tenant in tenants:
            self._say(tenant, REPLACED.format("record"))

    def table_lost(self, tenant: str, table: str) -> None:
        """Something else stood in the place of a table of the tenant's records."""
        log.warning("roll_lost", tenant=tenant, roll=table)
        self._recorder.see_everyone_again()
        self._say(self._table.get(tenant) or Tenant(tenant), REPLACED.format(table))

    def _say(self, tenant: Tenant, why: str) -> None:
        self._bus.command(log_command(self._addresses, loss(tenant, self._now(), why)), _ignore)


def _ignore(reply: object) -> None:
    """Where Redis is away again, the next loss is said."""
