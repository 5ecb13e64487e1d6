"""What an operator asks of a tenant, read from Redis: census, ledger, history, guards, and what a step would change.

The same answers for the admin API and the command line. It changes nothing, and judges nothing.
"""

import asyncio
import time
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from bridge import report_rows
from bridge.aside import aside
from bridge.broker import refused
from bridge.broker.addresses import Addresses
from bridge.broker.changes import Standing
from bridge.broker.memory import read_lost_at
from bridge.broker.roll import Roll, Rolls
from bridge.chronicle import FLUSH_SECONDS
from bridge.migration.guards import MILLISECONDS_PER_DAY, RECENT_DAYS, Facts, Verdict, judge
from bridge.migration.rows import Noted
from bridge.prediction import Predictor, Seen
from bridge.tenants import Tenant
from v3.session import timestamp

SETTLE_SECONDS: Final = FLUSH_SECONDS + 0.3
"""What was said before a prediction is asked for is in the rolls by then, whichever process heard it."""
GROUPS_PER_COMMAND: Final = 500
MOST_CLIENTS: Final = 10_000
MINUTES_PER_HOUR: Final = 60


class Reports:
    """The reports about the tenants of one deployment."""

    def __init__(self, redis: Redis, addresses: Addresses, rolls: Rolls) -> None:
        self._redis = redis
        self._addresses = addresses
        self._rolls = rolls

    async def census(self, tenant: Tenant, protocol: str | None = None, most: int = MOST_CLIENTS) -> dict[str, Any]:
        """Who was seen, newest first: those who speak V2 unless a protocol, or `all`, is named."""
        population = await aside(report_rows.newest_first, await self._population(tenant), protocol)
        roll = self._rolls.census
        return {
            "tenant": tenant.name,
            "days": roll.days,
            "total": len(population),
            "forgotten": await self._forgotten(roll, tenant),
            "clients": await aside(lambda: [report_rows.client_line(seen) for seen in population[:most]]),
        }

    async def ledger(self, tenant: Tenant) -> dict[str, Any]:
        """Conversions by direction and outcome, and the proprietary keys.

        How often a key was said is counted; the types of its values are those that samples had, the newest first.
        """
        outcomes, keys = await aside(report_rows.ledger, await self._rows(self._rolls.ledger, tenant))
        roll = self._rolls.ledger
        return {
            "tenant": tenant.name,
            "days": roll.days,
            "forgotten": await self._forgotten(roll, tenant),
            "outcomes": outcomes,
            "keys": keys,
        }

    async def history(self, tenant: Tenant) -> dict[str, Any]:
        """Connections and messages by protocol, minute by minute and hour by hour, the oldest first."""
        minutes, hours = await self._rows(self._rolls.minutes, tenant), await self._rows(self._rolls.hours, tenant)
        return {
            "tenant": tenant.name,
            "minutes": await aside(report_rows.drawn, minutes, 1),
            "hours": await aside(report_rows.drawn, hours, MINUTES_PER_HOUR),
        }

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """What the tenant's guards say now."""
        return judge(tenant.guard, await self._facts(tenant)) if tenant.guard.any else []

    async def predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        """What a step would change. It waits until what was said before it was asked is written down."""
        await asyncio.sleep(SETTLE_SECONDS)
        rows = await self._rows(self._rolls.speeches, tenant)
        predictor = Predictor(tenant, after.of_tenant(tenant), self._addresses)
        await aside(report_rows.predict, predictor, await self._population(tenant), rows)
        prediction = predictor.prediction
        forgotten = [await self._forgotten(roll, tenant) for roll in (self._rolls.census, self._rolls.speeches)]
        return {
            "tenant": tenant.name,
            "version": tenant.version,
            "from": Standing.of(tenant).as_json(),
            "to": after.as_json(),
            "forward": after.place > Standing.of(tenant).place,
            "guards": [verdict.as_json() for verdict in await self.verdicts(tenant)],
            "since": report_rows.moment(min((row.first for row in rows), default=None)),
            "complete": prediction.is_whole and not any(forgotten),
            **await aside(report_rows.predicted, prediction),
        }

    async def _population(self, tenant: Tenant) -> list[Seen]:
        """Everyone in the census; whoever is connected is there until now."""
        rows = await aside(report_rows.visitors, await self._rows(self._rolls.census, tenant))
        groups = await aside(lambda: {report_rows.group_of(visitor, tenant) for _, visitor in rows})
        return await aside(report_rows.seen_until, rows, tenant, await self._present(tenant, groups), _now())

    async def _present(self, tenant: Tenant, groups: set[str]) -> set[tuple[str, str]]:
        """Group and client name of everyone who is connected; those that gave no id have none."""
        names, here = sorted(groups), set()
        for start in range(0, len(names), GROUPS_PER_COMMAND):
            chunk = names[start : start + GROUPS_PER_COMMAND]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for group in chunk:
                    pipeline.zrange(self._addresses.holders(tenant.name, group), 0, -1)
                answers = await pipeline.execute(raise_on_error=False)
            here |= await aside(report_rows.holders, chunk, answers)
        return here

    async def _rows(self, roll: Roll, tenant: Tenant) -> list[Noted]:
        return [noted async for noted in roll.newest(self._redis, self._addresses, tenant.name, _oldest(roll))]

    async def _forgotten(self, roll: Roll, tenant: Tenant) -> int:
        return await roll.forgotten(self._redis, self._addresses, tenant.name, _oldest(roll))

    async def _facts(self, tenant: Tenant) -> Facts:
        now = _now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        converted, last = await aside(report_rows.converted, await self._rows(self._rolls.ledger, tenant), days)
        knocked = await refused.in_a_minute(self._redis, self._addresses, tenant.name, now)
        return Facts(now, converted.total(), converted["stashed"], last, knocked, await self._lost())

    async def _lost(self) -> int | None:
        at = await read_lost_at(self._redis, self._addresses)
        try:
            return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1_000)
        except ValueError:
            return None  # somebody else's, under our name


def _oldest(roll: Roll) -> int:
    """From when on a row of this roll still counts."""
    return _now() - roll.days * MILLISECONDS_PER_DAY


def _now() -> int:
    return time.time_ns() // 1_000_000
