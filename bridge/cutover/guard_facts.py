"""The verdicts of a tenant's guards: it reads the facts that they judge from Redis. It changes nothing."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from bridge.broker.data_loss import read_lost_at
from bridge.broker.link import end_if_cancelled
from bridge.cutover.guards import RECENT_DAYS, GuardFacts, Verdict, guards_of, is_guarded, judge
from bridge.cutover.lost import Losses, Moved
from bridge.records.census import Census
from bridge.records.rows import MILLISECONDS_PER_DAY, Conversion, Noted
from bridge.records.store import Rows, pages, read_rows
from bridge.records.store_reader import StoreReader
from bridge.records.whereabouts import Refused
from bridge.system.background import run_in_background
from bridge.system.shared_answer import SharedAnswer
from bridge.tenants.change_log import latest_step
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from v3.messages import timestamp


class Guards:
    """The guards of all tenants of one deployment. However many callers ask at once, facts are read at most twice."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._census = Census(reader)
        self._facts = SharedAnswer(self._read_facts)

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """The verdicts of the tenant's guards now; empty if it has none. Raises what redis-py raises."""
        return judge(tenant.guard, await self._facts.of(tenant)) if tenant.guard.any else []

    async def of_step(self, tenant: Tenant, before: Standing, after: Standing) -> list[Verdict]:
        """The verdicts of the guards that apply to a step. Raises what redis-py raises."""
        names = guards_of(tenant.guard, before, after)
        return [one for one in await self.verdicts(tenant) if one.name in names] if names else []

    async def _read_facts(self, tenant: Tenant) -> GuardFacts:
        now = self._reader.milliseconds_now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        rows = await self._reader.rows(self._reader.tables.ledger, tenant.name)
        converted, last = await run_in_background(_converted, rows, days)
        losses = await self._losses(tenant, now)
        data_lost = _milliseconds(await read_lost_at(self._reader.redis, self._reader.addresses))
        return GuardFacts(now, converted.total(), converted["stashed"], last, *losses, data_lost)

    async def _losses(self, tenant: Tenant, now: int) -> Losses:
        """Whom the newest step has moved and lost; nobody if that is no step which a guard applies to."""
        step = None
        if tenant.guard.lost_percent is not None:
            step = await latest_step(self._reader.redis, self._reader.addresses, tenant.name)
        if step is None or step.change.kind != "change" or not is_guarded(step.change.before, step.change.after):
            return Losses(0, 0)
        return await self._losses_of(tenant, Moved(step.at, now, round(tenant.guard.grace_seconds * 1_000)))

    async def _losses_of(self, tenant: Tenant, moved: Moved) -> Losses:
        """The whole census is read only if somebody knocks again and again, because it can be large."""
        refused = [one for one in await self._refused_since(tenant, moved.since) if moved.has_moved(one)]
        if not any(map(moved.is_knocking, refused)):
            return Losses(len(refused), 0)
        found = await self._census.whereabouts(tenant, moved.now)
        clients = await run_in_background(lambda: [*found.listed("arrived"), *found.listed("not_arrived")])
        return await run_in_background(moved.losses, clients)

    async def _refused_since(self, tenant: Tenant, since: int) -> list[Refused]:
        refused: list[Refused] = []
        reader = self._reader
        async for page in pages(reader.redis, reader.addresses, reader.tables.refused, tenant.name, since):
            end_if_cancelled()
            refused += await run_in_background(_refused_in, page)
        return refused


def _refused_in(page: Rows) -> list[Refused]:
    return [one for row in read_rows(page) if (one := Refused.of(row)) is not None]


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
