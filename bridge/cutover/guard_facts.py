"""The verdicts of a tenant's guards: it reads the facts that they judge from Redis. It changes nothing."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from bridge.broker.data_loss import read_lost_at
from bridge.cutover.guards import RECENT_DAYS, GuardFacts, Verdict, judge
from bridge.cutover.shared_answer import SharedAnswer
from bridge.records.rows import MILLISECONDS_PER_DAY, Conversion, Noted
from bridge.records.store_reader import StoreReader
from bridge.records.turned_away import in_a_minute
from bridge.system.background import run_in_background
from bridge.tenants.tenant import Tenant
from v3.messages import timestamp


class Guards:
    """The guards of all tenants of one deployment. However many callers ask at once, facts are read at most twice."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._facts = SharedAnswer(self._read_facts)

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """The verdicts of the tenant's guards now; empty if it has none. Raises what redis-py raises."""
        return judge(tenant.guard, await self._facts.of(tenant.name)) if tenant.guard.any else []

    async def _read_facts(self, tenant: str) -> GuardFacts:
        redis, addresses, now = self._reader.redis, self._reader.addresses, self._reader.milliseconds_now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        rows = await self._reader.rows(self._reader.tables.ledger, tenant)
        converted, last = await run_in_background(_converted, rows, days)
        refused = await in_a_minute(redis, addresses, tenant, now)
        lost = _milliseconds(await read_lost_at(redis, addresses))
        return GuardFacts(now, converted.total(), converted["stashed"], last, refused, lost)


def _converted(rows: Iterable[Noted], days: set[str]) -> tuple[Counter[str], int | None]:
    """The outcomes of conversions from V2 on these days, and when the last one was, on any day (ms since the epoch)."""
    converted: Counter[str] = Counter()
    last: int | None = None
    for noted in rows:
        row = Conversion.of(noted.key)
        if row is None or row.direction != "v2_to_v3":
            continue
        last = max(last or 0, noted.last)
        converted[row.outcome] += noted.count if row.day in days else 0
    return converted, last


def _milliseconds(at: str | None) -> int | None:
    """A time in ISO 8601 as milliseconds since the epoch."""
    return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1_000)
