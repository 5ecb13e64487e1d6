"""The records room, assembled: it counts in memory, notes rows, writes them to Redis each second, and makes reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.records.backlog import Backlog
from bridge.records.cluster_counts import ClusterCounts
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.records.redis_loss import RedisLoss
from bridge.records.refusal_lines import RefusalLines
from bridge.records.refused_clients import RefusedClients
from bridge.records.reports import Reports
from bridge.records.retention import Tables
from bridge.records.samples import OpenByTenant, Samples
from bridge.records.store_reader import StoreReader
from bridge.records.writer import Writer
from bridge.system.metrics import counter, gauge
from bridge.system.part import Part, Task
from bridge.tenants.part import Tenants


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """Whether anything is recorded, for how many clients of a tenant the census is kept, and for how many days.

    The days are those of the speeches and the ledger, too (`retention.py`).
    """

    are_kept: bool
    census_clients: int
    census_days: int


class Records(Part):
    """What one process records and reports. `open_by_tenant` returns the open connections by tenant and protocol."""

    def __init__(
        self, options: RecordOptions, broker: Broker, tenants: Tenants, counts: Counts, open_by_tenant: OpenByTenant
    ) -> None:
        self.counts: Final = counts
        self.tables: Final = Tables.bounded(options.census_clients, options.census_days)
        self.backlog: Final = Backlog(is_kept=options.are_kept)
        seconds = broker.clock.seconds
        self.recorder: Final = Recorder(self.tables, self.backlog, seconds)
        samples = Samples(self.tables, self.backlog, counts, open_by_tenant, seconds)
        self.refused_clients: Final = RefusedClients(broker.bus, broker.addresses, self.tables, self.backlog, seconds)
        lines = RefusalLines(seconds)
        self.refused_clients.told.add(lines.refused)
        self.writer: Final = Writer(
            broker.bus, broker.addresses, self.backlog, self.recorder, samples, self.refused_clients, lines
        )
        self.reader: Final = StoreReader(broker.redis, broker.addresses, self.tables, seconds)
        self.reports: Final = Reports(self.reader)
        self._cluster_counts = ClusterCounts(
            broker.bus,
            broker.addresses,
            broker.process,
            lambda: {"connections": open_by_tenant(), "messages": dict(counts.messages)},
        )
        loss = RedisLoss(broker.bus, broker.addresses, tenants.table, self.recorder, broker.now)
        self.writer.lost.add(loss.table_lost)
        tenants.change_log_check.lost.add(loss.change_logs_lost)
        broker.data_loss_mark.lost.add(loss.data_lost)

    def tasks(self) -> Iterable[Task]:
        return self.writer, self._cluster_counts

    async def stop(self) -> None:
        self.writer.flush()

    def metrics(self) -> Iterable[Metric]:
        yield gauge("bridge_records_waiting_rows", "Rows not yet in Redis.", self.backlog.waiting)
        yield counter("bridge_records_left_out", "What could not be recorded.", self.backlog.left_out)
