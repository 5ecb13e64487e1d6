"""The tenants room, assembled: the table of all tenants, and the check of their change logs. No rules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.system.metrics import gauges
from bridge.system.part import Part, Task
from bridge.tenants.change_log_check import ChangeLogCheck
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import STAGES, Tenant

FIRST_LOOKS_SECONDS: Final = 5.0
"""The longest wait at the start until all tenants in Redis were found."""


class Tenants(Part):
    """The tenants that this process knows. `here` returns the names of those that have connections."""

    def __init__(self, broker: Broker, configured: Mapping[str, Tenant], here: Callable[[], Iterable[str]]) -> None:
        self.table: Final = TenantTable(broker.redis, broker.addresses, configured, here)
        self.change_log_check: Final = ChangeLogCheck(broker.bus, broker.addresses, self.table.all)

    def tasks(self) -> Iterable[Task]:
        return self.table, self.change_log_check

    async def start(self) -> None:
        await self.table.look_around(FIRST_LOOKS_SECONDS)

    def metrics(self) -> Iterable[Metric]:
        tenants = self.table.all()
        stages = {(one.name, stage): int(one.stage == stage) for one in tenants for stage in STAGES}
        yield gauges("bridge_tenant_stage", "1 for the stage of a tenant.", ("tenant", "stage"), stages)
        shares = {one.name: one.share if one.stage == "drain" else 0 for one in tenants}
        yield gauges("bridge_tenant_share_percent", "Share of a tenant in drain.", ("tenant",), shares)
