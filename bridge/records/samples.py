"""Messages and connections of each tenant by minute and by hour, from counts that the process keeps anyway."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from bridge.records.backlog import Backlog
from bridge.records.counters import Counts, more_since
from bridge.records.retention import Tables
from bridge.records.rows import Noted, Sample
from bridge.records.speech import milliseconds

OpenByTenant = Callable[[], Mapping[tuple[str, str], int]]
"""Returns (tenant, protocol) -> how many connections are open."""


class Samples:
    """Notes the samples of one process. Connections are sampled once a minute, at its end."""

    def __init__(
        self,
        tables: Tables,
        backlog: Backlog,
        counts: Counts,
        open_by_tenant: OpenByTenant,
        seconds: Callable[[], float],
    ) -> None:
        self._tables = tables
        self._backlog = backlog
        self._counts = counts
        self._open_by_tenant = open_by_tenant
        self._seconds = seconds
        self._messages: Counter[tuple[str, str]] = Counter()
        self._minute: datetime | None = None

    def note_rows(self) -> Iterator[None]:
        """Note the messages since the last call, and the open connections if a minute has ended since then."""
        at = datetime.fromtimestamp(milliseconds(self._seconds()) / 1_000, UTC)
        self._note("messages", at, more_since(self._counts.messages, self._messages))
        yield
        minute, self._minute = self._minute, at.replace(second=0, microsecond=0)
        if minute is None or minute == self._minute:
            return
        self._note("connections", minute, self._open_by_tenant().items())

    def _note(
        self,
        what: Literal["connections", "messages"],
        at: datetime,
        numbers: Iterable[tuple[tuple[str, str], int]],
    ) -> None:
        """Note these numbers of tenants and protocols, for the minute and the hour of `at`."""
        now = round(at.timestamp() * 1_000)
        moments = (
            (self._tables.minutes, f"{at:%Y-%m-%dT%H:%M:00Z}"),
            (self._tables.hours, f"{at:%Y-%m-%dT%H:00:00Z}"),
        )
        for (tenant, protocol), times in numbers:
            for table, moment in moments:
                self._backlog.note(table, tenant, Noted(Sample(moment, what, protocol).key(), now, now, times))
