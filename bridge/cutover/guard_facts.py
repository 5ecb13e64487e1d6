"""What a tenant's guards say now: the facts that they judge, read from Redis, and the verdicts. It changes nothing."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from bridge.broker.data_loss import read_lost_at
from bridge.cutover.fresh import Fresh
from bridge.cutover.guards import RECENT_DAYS, GuardFacts, Verdict, judge
from bridge.records.rows import MILLISECONDS_PER_DAY, Conversion, Noted
from bridge.records.store_reader import StoreReader, milliseconds_now
from bridge.records.turned_away import in_a_minute
from bridge.system.background import aside
from bridge.tenants.tenant import Tenant
from v3.messages import timestamp


class Guards:
    """The guards of all tenants of one deployment. However many ask about one at once, its facts are read twice."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._facts = Fresh(self._read_facts)

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """What the tenant's guards say now; nothing of a tenant that has none. Raises what redis-py raises."""
        return judge(tenant.guard, await self._facts.of(tenant.name)) if tenant.guard.any else []

    async def _read_facts(self, tenant: str) -> GuardFacts:
        redis, addresses, now = self._reader.redis, self._reader.addresses, milliseconds_now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        rows = await self._reader.rows(self._reader.tables.ledger, tenant)
        converted, last = await aside(_converted, rows, days)
        refused = await in_a_minute(redis, addresses, tenant, now)
        lost = _milliseconds(await read_lost_at(redis, addresses))
        return GuardFacts(now, converted.total(), converted["stashed"], last, refused, lost)


def _converted(rows: Iterable[Noted], days: set[str]) -> tuple[Counter[str], int | None]:
    """What became of V2's messages on these days, and when the last one was converted."""
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
    """A time in ISO 8601 as milliseconds since the epoch; `None` also for what somebody else wrote under our name."""
    try:
        return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None
