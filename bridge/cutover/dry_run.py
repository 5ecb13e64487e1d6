"""Dry run of a change: predicts from the records which clients would be refused, and which would receive less.

It changes nothing. `predictor.py` compares; this module reads the records for it, page by page, and turns the result
into the JSON of the admin API and the command line.
"""

import asyncio
from typing import Any, Final, get_args

from bridge.cutover.guard_facts import Guards
from bridge.cutover.prediction import Pair, Prediction, Refusal, Speaker
from bridge.cutover.predictor import Predictor
from bridge.cutover.totals import Arrive, Totals, Who
from bridge.records import report_rows
from bridge.records.census import Census
from bridge.records.report_turns import ReportTurns
from bridge.records.rows import Said, Speech, Visitor
from bridge.records.store import Rows, read_rows
from bridge.records.store_reader import StoreReader
from bridge.records.whereabouts import ListName, Whereabouts
from bridge.records.writer import WRITE_SECONDS
from bridge.system.background import run_in_background, run_in_turns
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant

SETTLE_SECONDS: Final = WRITE_SECONDS + 0.3
"""The wait before a prediction. After it, all earlier messages are recorded in Redis, whichever process got them."""


ON_V2_OR_LOST: Final[tuple[ListName, ...]] = ("still", "not_arrived")


class DryRun:
    """Predicts what changes of the tenants of one deployment would do."""

    def __init__(self, reader: StoreReader, guards: Guards, turns: ReportTurns) -> None:
        self._reader = reader
        self._census = Census(reader)
        self._guards = guards
        self._turns = turns

    async def predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        """What a change would do, as a JSON object. It first waits `SETTLE_SECONDS`. Raises what redis-py raises."""
        await asyncio.sleep(SETTLE_SECONDS)
        async with self._turns.place():
            return await self._predict(tenant, after)

    async def _predict(self, tenant: Tenant, after: Standing) -> dict[str, Any]:
        tables, before = self._reader.tables, Standing.of(tenant)
        said = await self._said(tenant)
        whereabouts = await self._census.whereabouts(tenant, self._reader.milliseconds_now())
        prediction = await self._compare(tenant, after, said, whereabouts)
        earlier = await run_in_background(_moved_earlier, whereabouts, tenant, after.of_tenant(tenant))
        forgotten = [await self._reader.forgotten(table, tenant.name) for table in (tables.census, tables.speeches)]
        return {
            "tenant": tenant.name,
            "version": tenant.version,
            "from": before.as_json(),
            "to": after.as_json(),
            "forward": after.is_ahead_of(before),
            "guards": [verdict.as_json() for verdict in await self._guards.of_step(tenant, before, after)],
            "since": report_rows.moment(min((one.first for one in said), default=None)),
            "complete": prediction.is_whole and not any(forgotten),
            "on_v2": whereabouts.counts["still"],
            **await run_in_background(_as_json, prediction, earlier),
        }

    async def _compare(self, tenant: Tenant, after: Standing, said: list[Said], whereabouts: Whereabouts) -> Prediction:
        predictor = Predictor(tenant, after.of_tenant(tenant), self._reader.addresses, whereabouts.is_gone)
        await run_in_turns(predictor.expect(said))
        async for clients in self._census.pages(tenant, self._reader.milliseconds_now()):
            await run_in_turns(predictor.meet(clients))
        await run_in_turns(predictor.listen())
        return predictor.prediction

    async def _said(self, tenant: Tenant) -> list[Said]:
        said: list[Said] = []
        async for page in self._reader.pages(self._reader.tables.speeches, tenant.name):
            said += await run_in_background(_said_in, page)
        return said


def _said_in(page: Rows) -> list[Said]:
    """The rows of a page that are a `Speech`."""
    rows = ((row, Speech.of(row.key)) for row in read_rows(page))
    return [Said(speech, row.first, row.last, row.count) for row, speech in rows if speech is not None]


def _moved_earlier(whereabouts: Whereabouts, before: Tenant, after: Tenant) -> list[Who]:
    """The V2 clients that had to move before this step and have not arrived: those that it does not let back."""
    return [
        Who(visitor.client_id, "v2", client.user_agent, visitor.group_id)
        for name in ON_V2_OR_LOST
        for client in whereabouts.listed(name)
        if (visitor := client.visitor) is not None
        and after.refuses_v2(visitor.client_id) is not None
        and (client.moved_at or before.refuses_v2(visitor.client_id) is not None)
    ]


def _totals(prediction: Prediction, earlier: list[Who], arrive: Arrive) -> dict[str, Any]:
    return Totals(prediction.moved, earlier, prediction.unheard(arrive)).as_json()


def _as_json(prediction: Prediction, earlier: list[Who]) -> dict[str, Any]:
    """A prediction as a part of the JSON object. `earlier`: who had to move before, and has not arrived."""
    silenced, quieter = prediction.silenced, prediction.quieter
    arrive = {name: _totals(prediction, earlier, name) for name in get_args(Arrive)}
    share = prediction.affected / prediction.messages if prediction.messages else 0.0
    return {
        "refused": [_refused(refusal) for refusal in prediction.refused],
        "silenced": [_pair(*pair) for pair in silenced.first],
        "quieter": [_pair(*pair) for pair in quieter.first],
        "totals": {
            "refused": prediction.refused_clients,
            "silenced": silenced.number,
            "quieter": quieter.number,
            **arrive,
        },
        "new": {"clients": arrive["none"]["new"], "pairs": silenced.number + quieter.number},
        "traffic": {"messages": prediction.messages, "affected": prediction.affected, "share": round(share, 4)},
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    """One client that would be refused, as a JSON object."""
    return {
        **report_rows.client_line(refusal.seen),
        "name": refusal.name,
        "code": refusal.code,
        "bucket": refusal.bucket,
        "successor": refusal.successor,
        "channel": refusal.channel,
    }


def _pair(speaker: Speaker, listener: Visitor, pair: Pair) -> dict[str, Any]:
    """One speaker and one listener, as a JSON object."""
    language, client_id, group_id = speaker
    return {
        "speaker": {"client_id": client_id, "protocol": language, "group_id": group_id},
        "listener": {"client_id": listener.client_id, "protocol": listener.protocol, "group_id": listener.group_id},
        "messages": pair.lost,
        "of": pair.heard,
        "channel": pair.channel,
        "said_to": pair.said_to,
    }
