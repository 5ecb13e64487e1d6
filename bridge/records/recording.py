"""What one process records, assembled: counted in memory, noted as rows, and written to Redis each second. No rules."""

import time
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records.backlog import Backlog
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.records.samples import OpenByTenant, Samples
from bridge.records.tables import Tables
from bridge.records.writer import RowSource, Writer


class Recording:
    """The recorder of the data path, and the writer that takes what it and others have counted."""

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        tables: Tables,
        backlog: Backlog,
        counts: Counts,
        open_by_tenant: OpenByTenant,
        *others: RowSource,
    ) -> None:
        self.backlog: Final = backlog
        self.recorder: Final = Recorder(tables, backlog, time.time)
        samples = Samples(tables, backlog, counts, open_by_tenant, time.time)
        self.writer: Final = Writer(bus, addresses, backlog, (self.recorder, samples, *others))
