"""What an operator asks of a tenant, read from Redis: census, ledger, history, guards, and what a step would change.

The same answers for the admin API and the command line. It changes nothing, and judges nothing.

A census may have 100,000 rows and more: they are read page by page, and of each no more is kept than is answered, or
than a prediction compares.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.data_loss import read_lost_at
from bridge.broker.link import end_if_cancelled
from bridge.cutover.guards import RECENT_DAYS, Facts, Verdict, judge
from bridge.cutover.prediction import Predictor, Said, Seen
from bridge.records import refusals, report_rows
from bridge.records.fresh import Fresh
from bridge.records.recorder import FLUSH_SECONDS
from bridge.records.report_turns import ReportTurns
from bridge.records.rows import MILLISECONDS_PER_DAY, Noted
from bridge.records.store import Roll, Rolls, Rows, read_rows
from bridge.system.background import aside, aside_in_turns
from bridge.tenants.change_log import Standing
from bridge.tenants.tenant import Tenant
from v3.session import timestamp

SETTLE_SECONDS: Final = FLUSH_SECONDS + 0.3
"""What was said before a prediction is asked for is in the rolls by then, whichever process heard it."""
GROUPS_PER_COMMAND: Final = 100
HOLDERS_PER_GROUP: Final = 1_000
MOST_CLIENTS: Final = 10_000
MINUTES_PER_HOUR: Final = 60


class Reports:
    """The reports about the tenants of one deployment."""

    def __init__(self, redis: Redis, addresses: Addresses, rolls: Rolls) -> None:
        self._redis = redis
        self._addresses = addresses
        self._rolls = rolls
        self._facts = Fresh(self._facts_of)
        self.turns: Final = ReportTurns()
        """Whoever lets others ask gives them turns; here they only get places."""

    async def census(
        self,
        tenant: Tenant,
        protocol: str | None = None,
        most: int = MOST_CLIENTS,
        line: Callable[[Seen], Any] = report_rows.client_line,
    ) -> dict[str, Any]:
        """Who was seen, newest first: those who speak V2 unless a protocol, or `all`, is named. A `line` for each."""
        roll, now = self._rolls.census, _now()
        newest = report_rows.Newest(protocol, most, now, line)
        async with self.turns.place():
            async for population in self._population(tenant, now):
                await aside(newest.add, population)
            return {
                "tenant": tenant.name,
                "days": roll.days,
                "total": newest.total,
                "forgotten": await self._forgotten(roll, tenant),
                "clients": newest.lines(),
            }

    async def ledger(self, tenant: Tenant) -> dict[str, Any]:
        """Conversions by direction and outcome, and the proprietary keys.

        How often a key was said is counted; the types of its values are those that samples had, the newest first.
        """
        roll = self._rolls.ledger
        async with self.turns.place():
            outcomes, keys = await aside(report_rows.ledger, await self._rows(roll, tenant))
            return {
                "tenant": tenant.name,
                "days": roll.days,
                "forgotten": await self._forgotten(roll, tenant),
                "outcomes": outcomes,
                "keys": keys,
            }

    async def history(self, tenant: Tenant) -> dict[str, Any]:
        """Connections and messages by protocol, minute by minute and hour by hour, the oldest first."""
        async with self.turns.place():
            return {
                "tenant": tenant.name,
                "minutes": await self._drawn(self._rolls.minutes, tenant, 1),
                "hours": await self._drawn(self._rolls.hours, tenant, MINUTES_PER_HOUR),
            }

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """What the tenant's guards say now."""
        return judge(tenant.guard, await self._facts.of(tenant.name)) if tenant.guard.any else []

    async def predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        """What a step would change. It waits until what was said before it was asked is written down."""
        await asyncio.sleep(SETTLE_SECONDS)
        async with self.turns.place():
            return await self._predict(tenant, after)

    async def _predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        said = await self._said(tenant)
        predictor = Predictor(tenant, after.of_tenant(tenant), self._addresses)
        await aside_in_turns(predictor.expect(said))
        async for population in self._population(tenant, _now()):
            await aside_in_turns(predictor.meet(population))
        await aside_in_turns(predictor.listen())
        prediction = predictor.prediction
        forgotten = [await self._forgotten(roll, tenant) for roll in (self._rolls.census, self._rolls.speeches)]
        return {
            "tenant": tenant.name,
            "version": tenant.version,
            "from": Standing.of(tenant).as_json(),
            "to": after.as_json(),
            "forward": after.place > Standing.of(tenant).place,
            "guards": [verdict.as_json() for verdict in await self.verdicts(tenant)],
            "since": report_rows.moment(min((one.first for one in said), default=None)),
            "complete": prediction.is_whole and not any(forgotten),
            **await aside(report_rows.predicted, prediction),
        }

    async def _said(self, tenant: Tenant) -> list[Said]:
        said: list[Said] = []
        async for page in self._pages(self._rolls.speeches, tenant):
            said += await aside(lambda page: report_rows.spoken(read_rows(page)), page)
        return said

    async def _population(self, tenant: Tenant, now: int) -> AsyncIterator[list[Seen]]:
        """Everyone in the census, page by page; whoever is connected is there until now."""
        asked: set[str] = set()
        here: set[tuple[str, str]] = set()
        async for page in self._pages(self._rolls.census, tenant):
            rows = await aside(lambda page: report_rows.visitors(read_rows(page)), page)
            groups = {report_rows.group_of(visitor, tenant) for _, visitor in rows} - asked
            asked |= groups
            here |= await self._present(tenant, groups)
            yield await aside(report_rows.seen_until, rows, tenant, here, now)

    async def _present(self, tenant: Tenant, groups: set[str]) -> set[tuple[str, str]]:
        """Group and client name of everyone who is connected; those that gave no id have none."""
        names, here = sorted(groups), set()
        for start in range(0, len(names), GROUPS_PER_COMMAND):
            chunk, first = names[start : start + GROUPS_PER_COMMAND], 0
            while chunk:
                answers = await self._holders(tenant, chunk, first)
                here |= await aside(report_rows.holders, chunk, answers)
                chunk = [group for group, found in zip(chunk, answers, strict=True) if len(found) == HOLDERS_PER_GROUP]
                first += HOLDERS_PER_GROUP
        return here

    async def _holders(self, tenant: Tenant, groups: list[str], first: int) -> list[list[bytes]]:
        """Some of each group, from the `first` on; none where something else stands in their place."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for group in groups:
                pipeline.zrange(self._addresses.holders(tenant.name, group), first, first + HOLDERS_PER_GROUP - 1)
            answers = await pipeline.execute(raise_on_error=False)
        return [answer if isinstance(answer, list) else [] for answer in answers]

    async def _drawn(self, roll: Roll, tenant: Tenant, minutes: int) -> list[dict[str, Any]]:
        drawing = report_rows.Drawing(minutes)
        async for page in self._pages(roll, tenant):
            await aside(lambda page: drawing.add(read_rows(page)), page)
        return await aside(drawing.samples)

    async def _rows(self, roll: Roll, tenant: Tenant) -> list[Noted]:
        """All of a roll that has not many."""
        rows: list[Noted] = []
        async for page in self._pages(roll, tenant):
            rows += await aside(lambda page: list(read_rows(page)), page)
        return rows

    async def _pages(self, roll: Roll, tenant: Tenant) -> AsyncIterator[Rows]:
        async for page in roll.pages(self._redis, self._addresses, tenant.name, _oldest(roll)):
            end_if_cancelled()
            yield page

    async def _forgotten(self, roll: Roll, tenant: Tenant) -> int:
        return await roll.forgotten(self._redis, self._addresses, tenant.name, _oldest(roll))

    async def _facts_of(self, tenant: str) -> Facts:
        now = _now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        converted, last = await aside(report_rows.converted, await self._rows(self._rolls.ledger, Tenant(tenant)), days)
        knocked = await refusals.in_a_minute(self._redis, self._addresses, tenant, now)
        return Facts(now, converted.total(), converted["stashed"], last, knocked, await self._lost())

    async def _lost(self) -> int | None:
        at = await read_lost_at(self._redis, self._addresses)
        try:
            return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1_000)
        except (ValueError, OverflowError):
            return None  # somebody else's, under our name


def _oldest(roll: Roll) -> int:
    """From when on a row of this roll still counts."""
    return _now() - roll.days * MILLISECONDS_PER_DAY


def _now() -> int:
    return time.time_ns() // 1_000_000
