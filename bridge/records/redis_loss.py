"""What the bridge does when Redis has lost records: it notes all connected clients again, and records the loss.

The loss is written to the change log of each tenant that has lost something, so that an operator who reads a census, a
ledger or a history knows from when on it is complete. Lost data does not come back.
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
    """The reaction of one process. The part that finds a loss calls the method for it."""

    def __init__(
        self, bus: Bus, addresses: Addresses, table: TenantTable, recorder: Recorder, now: Callable[[], str]
    ) -> None:
        """`now` gives the time as ISO 8601."""
        self._bus = bus
        self._addresses = addresses
        self._table = table
        self._recorder = recorder
        self._now = now

    def data_lost(self, must_say: bool) -> None:  # noqa: FBT001 - as `DataLossMark.lost` calls it
        """Redis came back without its data. `must_say` is true in the one process that records it for every tenant."""
        log.warning("redis_lost_its_data")
        self._recorder.see_everyone_again()
        if must_say:
            for tenant in self._table.all():
                self._say(tenant, LOSS)

    def change_logs_lost(self, tenants: Iterable[Tenant]) -> None:
        """Another program had replaced the change logs of these tenants by a value of another type."""
        log.warning("record_lost", tenants=[tenant.name for tenant in tenants])
        for tenant in tenants:
            self._say(tenant, REPLACED.format("record"))

    def table_lost(self, tenant: str, table: str) -> None:
        """Another program had replaced a table of the tenant's records by a value of another type."""
        log.warning("roll_lost", tenant=tenant, roll=table)
        self._recorder.see_everyone_again()
        self._say(self._table.of(tenant), REPLACED.format(table))

    def _say(self, tenant: Tenant, why: str) -> None:
        self._bus.command(log_command(self._addresses, loss(tenant, self._now(), why)), _ignore)


def _ignore(reply: object) -> None:
    """Nothing to do: if Redis is away again, the next loss is recorded."""
