"""One running process: builds its parts from the lowest room to the highest, runs them, stops them in reverse order.

It has no rules, and knows no URL path and no endpoint: `app.py` mounts those.
"""

import asyncio
import contextlib
import time
from typing import Final

import structlog

from bridge.broker.addresses import Addresses
from bridge.broker.history import HistoryOptions
from bridge.broker.link import database_in, end_if_cancelled
from bridge.broker.message import FACTOR_OF_MAX_MESSAGE_BYTES
from bridge.broker.part import LAST_WORDS_SECONDS, Broker, BrokerOptions
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.continuity.part import Continuity
from bridge.handshake.part import Handshakes
from bridge.messaging.connections import Connections
from bridge.messaging.inbound import Inbound
from bridge.messaging.part import Messaging
from bridge.records.counters import Counts
from bridge.records.part import RecordOptions, Records
from bridge.runtime.clock import WallClock
from bridge.runtime.limits import most_connections
from bridge.runtime.shutdown import end_all, seconds_for_parts
from bridge.runtime.upkeep import Upkeep
from bridge.runtime.v2 import V2  # V2
from bridge.sockets.part import Sockets
from bridge.system.part import Part, Task
from bridge.tenants.part import Tenants

TASK_PAUSE_SECONDS: Final = 1.0
END_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Process:
    """The parts of one process. Built inside its event loop; `run` owns every task."""

    def __init__(self, settings: Settings, redis_url: str, budget: Budget, sockets: Sockets) -> None:
        counts, microseconds = Counts(), WallClock().microseconds
        inbound = Inbound(budget, Addresses(settings.prefix, database_in(redis_url)), microseconds)
        self.broker: Final = Broker(
            _broker_options(settings, redis_url), microseconds, inbound.deliveries.deliver, inbound.say_gap
        )
        inbound.redis_microseconds = self.broker.clock.microseconds
        connections = Connections(inbound.hub, self.broker.presence, counts, time.time)
        connections.flushes.append(sockets.heard_out.over)
        self.tenants: Final = Tenants(self.broker, settings.known_tenants(), connections.tenants)
        kept = RecordOptions(settings.records, settings.census_clients, settings.census_days)
        self.records: Final = Records(kept, self.broker, self.tenants, counts, connections.open_by_tenant)
        self._stop_seconds: Final = max(seconds_for_parts(settings.drain_seconds), LAST_WORDS_SECONDS)
        drain_seconds = self._stop_seconds - LAST_WORDS_SECONDS
        self.messaging: Final = Messaging(inbound, connections, self.broker, self.tenants, self.records, drain_seconds)
        self.continuity: Final = Continuity(
            self.broker, inbound, _history_options(settings), settings.outbox_bounds.most_bytes
        )
        self.continuity.canary.lost.add(connections.send_all_away)
        places, rooms = most_connections(settings), (self.broker, self.tenants, self.messaging, self.continuity)
        self.handshakes: Final = Handshakes(settings, places, budget, *rooms)
        self.v2: Final = V2(settings, self.broker, self.tenants, self.records, self.messaging, self.handshakes)  # V2
        self.parts: Final[list[Part]] = [
            Upkeep(sockets.strangers, lambda: self.records.reports.turns.is_any_made),
            sockets,
            budget,
            self.broker,
            self.tenants,
            self.records,
            self.messaging,
            self.continuity,
            self.handshakes,
            self.v2,  # V2
        ]
        """In the order in which they start; they stop in reverse order."""

    async def run(self) -> None:
        """Run all tasks of all parts until cancelled, then end them and close the connections to Redis."""
        tasks = [
            asyncio.create_task(self._keep(task), name=type(task).__name__)
            for part in self.parts
            for task in part.tasks()
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end_all(tasks, END_SECONDS)
            await self.broker.redis.aclose()

    async def start(self) -> None:
        """Start all parts; returns when clients can be served. `run` must be running meanwhile."""
        for part in self.parts:
            await part.start()

    async def stop(self) -> None:
        """Stop all parts in reverse order, within `drain_seconds`. Clients are asked to close, and then aborted."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop_seconds):
                for part in reversed(self.parts):
                    await self._stop(part)

    async def _stop(self, part: Part) -> None:
        """Stop one part. If it fails, the others must stop all the same."""
        try:
            await part.stop()
        except Exception:
            self.records.counts.errors += 1
            log.exception("part_failed", part=type(part).__name__)

    async def _keep(self, task: Task) -> None:
        """Run a task, and start it again after `TASK_PAUSE_SECONDS` when it fails: connections must survive that."""
        while True:
            try:
                await task.run()
            except Exception:
                self.records.counts.errors += 1
                log.exception("part_failed", part=type(task).__name__)
            end_if_cancelled()
            await asyncio.sleep(TASK_PAUSE_SECONDS)


def _broker_options(settings: Settings, redis_url: str) -> BrokerOptions:
    return BrokerOptions(
        redis_url=redis_url,
        prefix=settings.prefix,
        presence_seconds=settings.presence_seconds,
        presence_events_members=settings.presence_events_members,
        most_message_bytes=settings.max_message_bytes * FACTOR_OF_MAX_MESSAGE_BYTES,
        history=_history_options(settings),
    )


def _history_options(settings: Settings) -> HistoryOptions:
    return HistoryOptions(
        seconds=settings.history_seconds,
        has_several_tenants=len(settings.known_tenants()) > 1,
        messages=settings.history_messages,
        most_bytes=settings.history_bytes,
        direct=settings.history_direct,
        v2=settings.v2_replay,
    )
