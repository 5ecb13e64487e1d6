"""What an operator asks of a tenant, read from Redis: census, ledger, history, guards, and what a step would change.

The same answers for the admin API and the command line. It changes nothing, and judges nothing.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker import refused
from bridge.broker.addresses import Addresses
from bridge.broker.changes import Standing
from bridge.broker.memory import lost_at
from bridge.broker.presence_entries import holder_in
from bridge.broker.roll import Roll, Rolls
from bridge.chronicle import FLUSH_SECONDS
from bridge.migration.guards import MILLISECONDS_PER_DAY, RECENT_DAYS, Facts, Verdict, judge
from bridge.migration.rows import Conversion, Noted, ProprietaryKey, Sample, Speech, Visitor
from bridge.prediction import Pair, Prediction, Predictor, Refusal, Said, Seen, Speaker
from bridge.tenants import GENERATED_ID_PREFIX, Tenant, bucket
from v3.session import timestamp

SETTLE_SECONDS: Final = FLUSH_SECONDS + 0.3
"""What was said before a prediction is asked for is in the rolls by then, whichever process heard it."""
GROUPS_PER_COMMAND: Final = 500
ROWS_PER_TURN: Final = 2_000
"""Other work goes on between so many."""
MOST_CLIENTS: Final = 10_000
MINUTES_PER_HOUR: Final = 60
MILLISECONDS_PER_MINUTE: Final = 60_000
PROTOCOLS: Final = ("v2", "v3", "socketio")
OUTCOMES: Final = ("exact", "stashed", "suppressed")
DIRECTIONS: Final = ("v2_to_v3", "v3_to_v2")


class Reports:
    """The reports about the tenants of one deployment."""

    def __init__(self, redis: Redis, addresses: Addresses, rolls: Rolls) -> None:
        self._redis = redis
        self._addresses = addresses
        self._rolls = rolls

    async def census(self, tenant: Tenant, protocol: str | None = None, most: int = MOST_CLIENTS) -> dict[str, Any]:
        """Who was seen, newest first: those who speak V2 unless a protocol, or `all`, is named."""
        population = [seen for seen in await self._population(tenant) if _is_asked_for(seen.visitor, protocol)]
        population.sort(key=lambda seen: -seen.last)
        roll = self._rolls.census
        return {
            "tenant": tenant.name,
            "days": roll.days,
            "total": len(population),
            "forgotten": await self._forgotten(roll, tenant),
            "clients": [_client(seen) for seen in population[:most]],
        }

    async def ledger(self, tenant: Tenant) -> dict[str, Any]:
        """Conversions by direction and outcome, and the proprietary keys.

        How often a key was said is counted; the types of its values are those that samples had, the newest first.
        """
        outcomes: dict[str, Counter[str]] = {direction: Counter(dict.fromkeys(OUTCOMES, 0)) for direction in DIRECTIONS}
        keys: dict[str, list[tuple[str, Noted]]] = defaultdict(list)
        for noted in await self._rows(self._rolls.ledger, tenant):
            conversion, key = Conversion.of(noted.key), ProprietaryKey.of(noted.key)
            if conversion is not None and conversion.direction in outcomes:
                outcomes[conversion.direction][conversion.outcome] += noted.count
            elif key is not None:
                keys[key.name].append((key.type, noted))
        roll = self._rolls.ledger
        return {
            "tenant": tenant.name,
            "days": roll.days,
            "forgotten": await self._forgotten(roll, tenant),
            "outcomes": {direction: dict(counts) for direction, counts in outcomes.items()},
            "keys": sorted(map(_key, keys.items()), key=lambda key: (-key["seen"], key["name"])),
        }

    async def history(self, tenant: Tenant) -> dict[str, Any]:
        """Connections and messages by protocol, minute by minute and hour by hour, the oldest first."""
        minutes, hours = await self._rows(self._rolls.minutes, tenant), await self._rows(self._rolls.hours, tenant)
        return {"tenant": tenant.name, "minutes": _drawn(minutes, 1), "hours": _drawn(hours, MINUTES_PER_HOUR)}

    async def verdicts(self, tenant: Tenant) -> list[Verdict]:
        """What the tenant's guards say now."""
        return judge(tenant.guard, await self._facts(tenant)) if tenant.guard.any else []

    async def predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        """What a step would change. It waits until what was said before it was asked is written down."""
        await asyncio.sleep(SETTLE_SECONDS)
        rows = await self._rows(self._rolls.speeches, tenant)
        said = [Said(speech, row.first, row.last, row.count) for row in rows if (speech := Speech.of(row.key))]
        predictor = Predictor(tenant, after.of_tenant(tenant), self._addresses)
        for _ in predictor.predict(await self._population(tenant), said):
            await asyncio.sleep(0)
        prediction = predictor.prediction
        forgotten = [await self._forgotten(roll, tenant) for roll in (self._rolls.census, self._rolls.speeches)]
        return {
            "tenant": tenant.name,
            "version": tenant.version,
            "from": Standing.of(tenant).as_json(),
            "to": after.as_json(),
            "forward": after.place > Standing.of(tenant).place,
            "guards": [verdict.as_json() for verdict in await self.verdicts(tenant)],
            "since": _moment(min((row.first for row in rows), default=None)),
            "complete": prediction.is_whole and not any(forgotten),
            **_predicted(prediction),
        }

    async def _population(self, tenant: Tenant) -> list[Seen]:
        """Everyone in the census; whoever is connected is there until now."""
        rows = [
            (row, visitor) for row in await self._rows(self._rolls.census, tenant) if (visitor := Visitor.of(row.key))
        ]
        here, now = await self._present(tenant, {_group(visitor, tenant) for _, visitor in rows}), _now()
        population = []
        for number, (row, visitor) in enumerate(rows):
            last = now if _is_here(visitor, tenant, here) else row.last
            population.append(Seen(visitor, row.first, last, row.count, visitor.user_agent or row.remark))
            if number % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
        return population

    async def _present(self, tenant: Tenant, groups: set[str]) -> set[tuple[str, str]]:
        """Group and client name of everyone who is connected; those that gave no id have none."""
        names, here = sorted(groups), set()
        for start in range(0, len(names), GROUPS_PER_COMMAND):
            chunk = names[start : start + GROUPS_PER_COMMAND]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for group in chunk:
                    pipeline.zrange(self._addresses.holders(tenant.name, group), 0, -1)
                answers = await pipeline.execute(raise_on_error=False)
            for group, holders in zip(chunk, answers, strict=True):
                found = map(holder_in, holders if isinstance(holders, list) else ())
                here |= {(group, name) for holder in found if holder is not None for name in _called(holder[0])}
        return here

    async def _rows(self, roll: Roll, tenant: Tenant) -> list[Noted]:
        return [noted async for noted in roll.newest(self._redis, self._addresses, tenant.name, _oldest(roll))]

    async def _forgotten(self, roll: Roll, tenant: Tenant) -> int:
        return await roll.forgotten(self._redis, self._addresses, tenant.name, _oldest(roll))

    async def _facts(self, tenant: Tenant) -> Facts:
        now = _now()
        days = {timestamp((now - day * MILLISECONDS_PER_DAY) * 1_000)[:10] for day in range(RECENT_DAYS)}
        converted: Counter[str] = Counter()
        last: int | None = None
        for noted in await self._rows(self._rolls.ledger, tenant):
            row = Conversion.of(noted.key)
            if row is None or row.direction != "v2_to_v3":
                continue
            last = max(last or 0, noted.last)
            converted[row.outcome] += noted.count if row.day in days else 0
        knocked = await refused.in_a_minute(self._redis, self._addresses, tenant.name, now)
        return Facts(now, converted.total(), converted["stashed"], last, knocked, await self._lost())

    async def _lost(self) -> int | None:
        at = lost_at(await cast(Any, self._redis.get(self._addresses.loss)))
        try:
            return None if at is None else round(datetime.fromisoformat(at).timestamp() * 1_000)
        except ValueError:
            return None  # somebody else's, under our name


def _predicted(prediction: Prediction) -> dict[str, Any]:
    silenced, quieter = prediction.silenced, prediction.quieter
    share = prediction.affected / prediction.messages if prediction.messages else 0.0
    return {
        "refused": [_refused(refusal) for refusal in prediction.refused],
        "silenced": [_pair(*pair) for pair in silenced.first],
        "quieter": [_pair(*pair) for pair in quieter.first],
        "totals": {"refused": prediction.refused_clients, "silenced": silenced.number, "quieter": quieter.number},
        "traffic": {"messages": prediction.messages, "affected": prediction.affected, "share": round(share, 4)},
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        **_client(refusal.seen),
        "name": refusal.name,
        "code": refusal.code,
        "bucket": refusal.bucket,
        "successor": refusal.successor,
        "channel": refusal.channel,
    }


def _pair(speaker: Speaker, listener: Visitor, pair: Pair) -> dict[str, Any]:
    language, client_id, group_id = speaker
    return {
        "speaker": {"client_id": client_id, "protocol": language, "group_id": group_id},
        "listener": {"client_id": listener.client_id, "protocol": listener.protocol, "group_id": listener.group_id},
        "messages": pair.lost,
        "of": pair.heard,
        "channel": pair.channel,
    }


def _client(seen: Seen) -> dict[str, Any]:
    visitor = seen.visitor
    return {
        "client_id": visitor.client_id,
        "group_id": visitor.group_id,
        "protocol": visitor.protocol,
        "language": visitor.language,
        "first_seen": _moment(seen.first),
        "last_seen": _moment(seen.last),
        "messages": seen.messages,
        "user_agent": seen.user_agent,
        "bucket": bucket(visitor.client_id) if visitor.language == "v2" else None,
    }


def _key(item: tuple[str, list[tuple[str, Noted]]]) -> dict[str, Any]:
    name, rows = item
    samples = sorted(rows, key=lambda one: -one[1].last)
    newest_type, newest = samples[0]
    return {
        "name": name,
        "seen": sum(noted.count for _, noted in samples),
        "type": newest_type,
        "types": [kind for kind, _ in samples],
        "first_seen": _moment(min(noted.first for _, noted in samples)),
        "last_seen": _moment(newest.last),
    }


def _drawn(rows: Iterable[Noted], minutes: int) -> list[dict[str, Any]]:
    """One sample for each moment; connections are added up each minute, and so their mean is drawn."""
    moments: dict[str, dict[str, Any]] = {}
    for noted in rows:
        sample = Sample.of(noted.key)
        if sample is None or sample.what not in ("connections", "messages") or sample.protocol not in PROTOCOLS:
            continue
        drawn = moments.setdefault(sample.at, {"at": sample.at, "connections": _nobody(), "messages": _nobody()})
        drawn[sample.what][sample.protocol] = noted.count if sample.what == "messages" else _mean(noted, minutes)
    return [moments[at] for at in sorted(moments)]


def _mean(noted: Noted, minutes: int) -> float:
    """Over the minutes in which anybody was counted: the hour may not be over, or the bridge may be new."""
    counted = min(minutes, round((noted.last - noted.first) / MILLISECONDS_PER_MINUTE) + 1)
    return round(noted.count / counted, 1)


def _nobody() -> dict[str, float]:
    return dict.fromkeys(PROTOCOLS, 0)


def _is_asked_for(visitor: Visitor, protocol: str | None) -> bool:
    if protocol is None:
        return visitor.language == "v2"
    return protocol in ("all", visitor.protocol)


def _group(visitor: Visitor, tenant: Tenant) -> str:
    return visitor.group_id if visitor.language == "v3" else tenant.names.name_of(visitor.group_id)


def _is_here(visitor: Visitor, tenant: Tenant, here: set[tuple[str, str]]) -> bool:
    name = visitor.client_id or ""
    if name and visitor.language == "v2":
        name = str(tenant.names.name_of(name))
    return (_group(visitor, tenant), name) in here


def _called(name: str) -> tuple[str, ...]:
    """Whoever has a generated id is also somebody without one."""
    return (name, "") if name.startswith(GENERATED_ID_PREFIX) else (name,)


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp(milliseconds * 1_000)


def _oldest(roll: Roll) -> int:
    """From when on a row of this roll still counts."""
    return _now() - roll.days * MILLISECONDS_PER_DAY


def _now() -> int:
    return time.time_ns() // 1_000_000
