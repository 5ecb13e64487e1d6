"""The path canary: a stamped message that each process says over the bus every few seconds, and that all of them hear.

It goes the way of clients' messages: said like theirs, subscribed, delivered through the hub to a listener. So it shows
how long that way takes, and that it leads anywhere. A process that does not hear what Redis has taken from it is deaf:
after `DEAF_SECONDS` it is not ready, and makes its link anew; after `LOST_SECONDS` it closes its sockets, so that its
clients find another process. While Redis takes nothing nobody is deaf. It never reaches a client.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Literal

import structlog
from prometheus_client.core import HistogramMetricFamily, Metric

from bridge.broker.addresses import Addresses
from bridge.broker.history import Publish
from bridge.broker.message import BusMessage, said
from bridge.broker.subscriber import Subscriber
from bridge.messaging.hub import Hub, Listener
from bridge.system.observers import Observers
from v3.messages import SERVER_ID, Content, timestamp

Origin = Literal["own", "sibling"]
Clock = Callable[[], int]
"""Microseconds since the epoch."""
CANARY_SECONDS: Final = 5.0
DEAF_SECONDS: Final = 15.0
LOST_SECONDS: Final = 30.0
LONGEST_UNHEARD: Final = 64
"""So many canaries that were said and not heard are remembered: those of five minutes."""
BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PATH: Final = "PATH"

log = structlog.get_logger(__name__)


class Times:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_SECONDS) + 1)
        self._sum = 0.0

    def note(self, seconds: float) -> None:
        """Count one time."""
        self._counts[sum(seconds > bound for bound in BUCKETS_SECONDS)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, origin: str) -> None:
        """Add these times to a metric family."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS_SECONDS), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric([origin], buckets, self._sum)


class PathCanary:
    """The canary of one process."""

    def __init__(
        self, publish: Publish, subscriber: Subscriber, hub: Hub, addresses: Addresses, process: str, clock: Clock
    ) -> None:
        """`process` names this process. `clock` is the wall clock."""
        self._publish = publish
        self._subscriber = subscriber
        self._hub = hub
        self._channel: Final = addresses.path
        self._process = process
        self._microseconds = clock
        self._loop = asyncio.get_running_loop()
        self._serial = 0
        self._said_at: dict[int, float] = {}
        self._unheard: dict[int, float] = {}
        """Canary -> when Redis had taken it; of those that were not heard."""
        self.times: Final[dict[Origin, Times]] = {"own": Times(), "sibling": Times()}
        self.lost: Final = Observers[[]]()
        """Called when this process has been deaf for `LOST_SECONDS`."""

    @property
    def deaf_seconds(self) -> float:
        """For how long this process has not heard what Redis has taken from it; 0 if it hears."""
        earliest = next(iter(self._unheard.values()), None)
        return 0.0 if earliest is None else self._loop.time() - earliest

    @property
    def is_deaf(self) -> bool:
        return self.deaf_seconds >= DEAF_SECONDS

    async def run(self) -> None:
        """Say a canary every `CANARY_SECONDS`, and look whether they are heard, until cancelled."""
        await self._subscriber.hold([self._channel])
        listener = Listener(_Ear(self._heard), bytes, [self._channel], None, "", "")
        self._hub.join(listener)
        try:
            while True:
                self._say()
                await asyncio.sleep(CANARY_SECONDS)
                self._judge()
        finally:
            self._hub.leave(listener)
            self._subscriber.release([self._channel])

    def _say(self) -> None:
        self._serial += 1
        payload = {"process": self._process, "serial": self._serial}
        content: Content = {"msg_type": "cmd", "target": "broadcast", "cmd": PATH, "payload": payload}
        message = said(content, SERVER_ID, self._process, timestamp(self._microseconds()))
        self._said_at[self._serial] = self._loop.time()
        while len(self._said_at) > LONGEST_UNHEARD:
            del self._said_at[next(iter(self._said_at))]
        self._publish([self._channel], message.data, partial(self._taken, self._serial))

    def _taken(self, serial: int, heard_by: int | None) -> None:
        """Redis has taken a canary, if `heard_by` is a number. It may have been heard already."""
        if heard_by is not None and serial in self._said_at:
            self._unheard[serial] = self._loop.time()
            while len(self._unheard) > LONGEST_UNHEARD:
                del self._unheard[next(iter(self._unheard))]

    def _heard(self, message: BusMessage) -> None:
        payload = message.content.get("payload", {})
        serial = payload.get("serial")
        if payload.get("process") != self._process:
            said_at = _seconds_of(message.heard.sent_at or "")
            if said_at is not None:
                self.times["sibling"].note(max(0.0, self._microseconds() / 1_000_000 - said_at))
        elif isinstance(serial, int):
            said_at = self._said_at.pop(serial, None)
            if said_at is not None:
                self.times["own"].note(self._loop.time() - said_at)
            self._unheard = {one: at for one, at in self._unheard.items() if one > serial}

    def _judge(self) -> None:
        deaf_seconds = self.deaf_seconds
        if deaf_seconds < DEAF_SECONDS:
            return
        log.error("process_is_deaf", seconds=round(deaf_seconds, 1))
        self._subscriber.end_link()
        if deaf_seconds >= LOST_SECONDS:
            self._unheard.clear()
            self.lost()

    def metrics(self) -> Iterable[Metric]:
        words = "Seconds from saying a message until it is heard here, by who has said it."
        family = HistogramMetricFamily("bridge_path_seconds", words, labels=("origin",))
        for origin, times in self.times.items():
            times.add_to(family, origin)
        yield family


class _Ear:
    """The renderer of the canary's listener: it takes the messages, and sends nothing."""

    def __init__(self, heard: Callable[[BusMessage], None]) -> None:
        self._heard = heard

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        for message in batch:
            if message.heard.cmd == PATH:
                self._heard(message)
        return b""


def _seconds_of(sent_at: str) -> float | None:
    """Seconds since the epoch; `None` for what another program has said there and is no time."""
    try:
        return datetime.fromisoformat(sent_at).timestamp()
    except (ValueError, OverflowError):
        return None
