"""The broker room, assembled: the links to Redis, presence, leases, and the detection of lost data. No rules."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from prometheus_client.core import Metric

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.attendance import Attendance
from bridge.broker.batches import of_one_kind
from bridge.broker.bus import Bus
from bridge.broker.data_loss import DataLossMark
from bridge.broker.history import History, HistoryOptions, Publish
from bridge.broker.intake import Deliver
from bridge.broker.leases import Leases
from bridge.broker.link import database_in, pool
from bridge.broker.presence import Presence
from bridge.broker.presence_events import PresenceEvents
from bridge.broker.reading import reading, renew
from bridge.broker.redis_clock import RedisClock
from bridge.broker.same_server import SameServer
from bridge.broker.subscriber import Subscriber
from bridge.system.metrics import counter, counters, gauge
from bridge.system.part import Part, Task
from v3.messages import timestamp

FIRST_LINK_SECONDS: Final = 2.0
"""The longest wait at the start for the first link. Without a link the bridge starts too, and answers 503."""
LAST_WORDS_SECONDS: Final = 0.5
"""The longest wait for the last writes to Redis when the process stops."""
SCRIPT_TRIPS: Final = 2  # round trips to run a script: one more if Redis does not know it yet
REJECTED: Final = ("invalid_json", "invalid_message", "too_big", "undeliverable")
PROCESS_NAME_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """The URL of Redis, the prefix of all names there, and the bounds of presence and of one bus message."""

    redis_url: str
    prefix: str
    presence_seconds: float
    presence_events_members: int
    most_message_bytes: int
    history: HistoryOptions


class Broker(Part):
    """All objects through which this process uses Redis. `process` is its name there, random at each start."""

    def __init__(
        self,
        options: BrokerOptions,
        microseconds: Callable[[], int],
        deliver: Deliver,
        gap: Callable[[float], None],
    ) -> None:
        """`microseconds` is the wall clock, since the epoch. For `deliver` and `gap` see `Subscriber`."""
        self.addresses: Final = Addresses(options.prefix, database_in(options.redis_url))
        self.process: Final = token_hex(PROCESS_NAME_BYTES)
        self.now: Final = lambda: timestamp(microseconds())
        links = pool(options.redis_url, f"aether-bridge-{self.process}")
        self.redis: Final = reading(options.redis_url)
        self.bus: Final = Bus(links, self.addresses.probe)
        self.clock: Final = RedisClock(self.bus)
        kind_of = self.addresses.kind_of if options.history.seconds else of_one_kind
        of_messages = self.now, options.most_message_bytes, self.addresses.probe, kind_of
        self.subscriber: Final = Subscriber(links, deliver, gap, *of_messages)
        self.history: Final = self._history(options.history) if options.history.seconds else None
        self.same_server: Final = SameServer(links, self.bus, self.subscriber, self.addresses.probe)
        self.events: Final = PresenceEvents(
            self.bus, self.addresses, microseconds, options.presence_events_members, self.history
        )
        self.presence: Final = Presence(
            self.bus, self.addresses, self.process, self.events, self.clock.microseconds, options.presence_seconds
        )
        self.leases: Final = Leases(self.bus, self.addresses, self.process, self.presence)
        self.attendance: Final = Attendance(self.bus, self.addresses, self.leases)
        self.subscriber.notices.own = self.addresses.listening_process(self.process)
        self.data_loss_mark: Final = DataLossMark(self.bus, self.addresses, self.now)
        self.leases.forgotten.add(self.data_loss_mark.look)
        self.bus.back.add(lambda: renew(self.redis))

    @property
    def publish(self) -> Publish:
        """Says a message on the bus: see `Bus.publish` and `History.publish`."""
        return self.bus.publish if self.history is None else self.history.publish

    def _history(self, options: HistoryOptions) -> History:
        history = History(self.bus, self.addresses, options)
        history.evidence.heard = lambda: self.subscriber.intake.arrivals.lately(self.addresses.path)
        history.evidence.highest_heard = lambda: self.subscriber.intake.arrivals.highest
        history.is_wanted = self.subscriber.wants
        self.subscriber.renumbered.add(history.begin)
        return history

    def tasks(self) -> Iterable[Task]:
        return self.bus, self.subscriber, self.same_server, self.presence, self.leases

    async def start(self) -> None:
        await self.bus.wait_until_up(FIRST_LINK_SECONDS)

    async def stop(self) -> None:
        """Announce LEAVE for all clients and delete the lease, within `LAST_WORDS_SECONDS` or not at all.

        Then no other process needs to clean up after this one.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._say_last_words()

    async def _say_last_words(self) -> None:
        """Wait until all clients have left, announce LEAVE where Redis says that it is due, and delete the lease."""
        await self.presence.wait_until_empty()
        for _ in range(SCRIPT_TRIPS):
            await self.bus.wait_until_answered()
        self.events.flush()
        self.leases.end()
        for _ in range(SCRIPT_TRIPS):
            await self.bus.wait_until_answered()

    def metrics(self) -> Iterable[Metric]:
        yield from self._of_bus()
        yield from self._of_subscriber()
        yield from self._of_presence()
        if self.history is not None:
            yield from self._of_history(self.history)
        links = {"bus": self.bus.reconnects, "subscriber": self.subscriber.reconnects}
        yield counters("bridge_redis_reconnects", "Links to Redis lost.", ("link",), links)
        words = "Times when the links, or the address, led to different Redis servers."
        yield counter("bridge_redis_servers_differed", words, self.same_server.parted)
        skipped = {what: unreadable.skipped[what] for what in unreadable.WHAT}
        words = "What others wrote under our names, and was passed over."
        yield counters("bridge_redis_unreadable", words, ("what",), skipped)
        yield counter("bridge_redis_data_lost", "Times Redis lost its data.", self.data_loss_mark.losses)

    def _of_bus(self) -> Iterable[Metric]:
        bus = self.bus
        yield gauge("bridge_bus_up", "1 while Redis takes what is said.", bus.is_up)
        yield counter("bridge_bus_published", "Messages handed to Redis.", bus.published)
        yield counter("bridge_bus_failed", "Messages that Redis is not known to have taken.", bus.replies.failed)

    def _of_subscriber(self) -> Iterable[Metric]:
        subscriber = self.subscriber
        yield gauge("bridge_subscriber_up", "1 while all channels are heard.", subscriber.is_up)
        yield gauge("bridge_channels", "Channels subscribed.", subscriber.channels)
        yield counter("bridge_bus_received", "Messages that Redis sent.", subscriber.received)
        rejected = {reason: subscriber.rejected[reason] for reason in REJECTED}
        yield counters("bridge_bus_rejected", "Bus messages not delivered.", ("reason",), rejected)
        yield counter("bridge_gaps", "Times when messages may have been missed.", subscriber.gaps)

    def _of_history(self, history: History) -> Iterable[Metric]:
        words = "Bytes in Redis, about, of what this process has kept for those who come back."
        yield gauge("bridge_history_bytes", words, history.budget.size_bytes)
        yield gauge(
            "bridge_histories", "Channels on which this process has kept something lately.", len(history.budget)
        )
        words = "Messages that were not kept for those who come back, because there was no room."
        yield counter("bridge_history_left_out", words, history.budget.not_kept)
        yield counter(
            "bridge_repairs", "Times when what was missed was found in the history.", self.subscriber.outage.repaired
        )

    def _of_presence(self) -> Iterable[Metric]:
        yield counter("bridge_presence_failures", "Presence writes that failed.", self.presence.failures)
        yield counter("bridge_presence_events_suppressed", "JOIN and LEAVE not said.", self.events.suppressed)
        yield counter("bridge_processes_swept", "Dead processes cleaned up after.", self.leases.swept)
