"""The open connections of this process: each ties a socket, a session, a place in the hub and an entry in presence.

A connection begins when its subscriptions are confirmed and ends once, whoever ends it. It decides nothing about
messages: it hands them to its session.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bridge.broker.presence import Place, Presence
from bridge.budget.accounts import Holder
from bridge.messaging.hub import Hub, Listener
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.sockets.outbox import Outbox
from bridge.system.observers import Observers

RETRY_AFTER_MS: Final = (250, 3_000)
CLOCK_LOOK_SECONDS: Final = 30.0


class Session(Protocol):
    """A session of either language, as a connection needs it."""

    def receive(self, text: str, receipt: Any = None) -> None:
        """One text message; `receipt`, of the session's own kind, is told what became of it."""

    def refuse(self, code: str, **extra: object) -> None:
        """Tell the client why, with `extra` members, and close where the closed list says so."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What is known of a connection for as long as it lives. `path_ids` are as they stood in the path.

    Times are in seconds since the epoch.
    """

    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor
    hears_since: float
    user_agent: str = ""
    expires_at: float | None = None

    @property
    def speaks_as(self) -> str:
        """The client id of what it says: the visitor's, or the one that was generated for it."""
        return self.place.client if self.visitor.client_id is None else self.visitor.client_id


class Connection:
    """One open connection; the socket's other end."""

    def __init__(
        self,
        info: ConnectionInfo,
        session: Session,
        outbox: Outbox,
        listener: Listener,
        home: "Connections",
        holder: Holder,
    ) -> None:
        """`holder`: who is charged for what is read from it."""
        self.info: Final = info
        self.holder: Final = holder
        self.outbox: Final = outbox
        self._session = session
        self._listener = listener
        self._home = home
        self._expiry: asyncio.TimerHandle | None = None
        self._is_lost = False
        self.receive: Final = session.receive
        self.over: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Be heard and hear from now on."""
        self._home.add(self, self._listener)
        if self.info.expires_at is not None:
            self._await_expiry(self.info.expires_at)

    def _await_expiry(self, expires_at: float) -> None:
        """Looking now and then: tokens go by the wall clock, which may be set."""
        seconds = min(max(0.0, expires_at - self._home.epoch_seconds()), CLOCK_LOOK_SECONDS)
        self._expiry = asyncio.get_running_loop().call_later(seconds, self._look_at_the_clock, expires_at)

    def _look_at_the_clock(self, expires_at: float) -> None:
        if self._home.epoch_seconds() < expires_at:
            self._await_expiry(expires_at)
        else:
            self.refuse("token_expired")

    def refuse(self, code: str, **extra: object) -> None:
        """Tell the client why, and close where the closed list says so."""
        self._session.refuse(code, **extra)

    def abort(self) -> None:
        """End it at once, whatever waits."""
        self.outbox.abort()

    def alive(self) -> None:
        """The client answered a ping."""
        if self.info.visitor.language == "v2":
            self._home.presence.touch(self.info.place)

    def lost(self) -> None:
        """The connection is over; harmless when repeated."""
        if self._is_lost:
            return
        self._is_lost = True
        self.outbox.end()
        if self._expiry is not None:
            self._expiry.cancel()
        self._home.discard(self, self._listener)
        if not self.over.done():  # whoever waited for it may have been cancelled, and it with them
            self.over.set_result(None)


class Connections:
    """All of them: who is open, how many those are, and the end of all."""

    def __init__(
        self,
        hub: Hub,
        presence: Presence,
        counts: Counts,
        epoch_seconds: Callable[[], float],
    ) -> None:
        self.hub: Final = hub
        self.presence: Final = presence
        self.counts: Final = counts
        self.epoch_seconds: Final = epoch_seconds
        self._all: dict[Connection, None] = {}
        self._by_tenant: Counter[tuple[str, str]] = Counter()
        self._empty = asyncio.Event()
        self.begun: Final = Observers[[Connection]]()
        """Told of each connection that begins."""
        self.ended: Final = Observers[[Connection]]()
        """Told of each connection that is over."""
        self.cutting_off: Final = Observers[[]]()
        """Told when those who are still there are about to be ended, whatever they have not read."""
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all))

    def __contains__(self, connection: object) -> bool:
        return connection in self._all

    def open_by_tenant(self) -> dict[tuple[str, str], int]:
        """(tenant, protocol) -> open connections."""
        return dict(self._by_tenant)

    def add(self, connection: Connection, listener: Listener) -> None:
        """A connection begins."""
        place = connection.info.place
        self._all[connection] = None
        self._by_tenant[place.tenant, place.protocol] += 1
        self.counts.accepted[place.protocol] += 1
        self.hub.join(listener)
        self.begun(connection)

    def discard(self, connection: Connection, listener: Listener) -> None:
        """A connection is over: give back what it held."""
        self.hub.leave(listener)
        if connection not in self._all:
            return
        place = connection.info.place
        del self._all[connection]
        self._by_tenant[place.tenant, place.protocol] -= 1
        if not self._by_tenant[place.tenant, place.protocol]:
            del self._by_tenant[place.tenant, place.protocol]
        if not self._all:
            self._empty.set()
        self.ended(connection)

    def tenants(self) -> set[str]:
        """The tenants that have connections here."""
        return {tenant for tenant, _ in self._by_tenant}

    async def close_all(self, seconds: float) -> None:
        """Tell everyone that the process stops, and wait for them to go: at most so long, the telling included."""
        self.is_closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for connection in self:
                    pause = random.randint(*RETRY_AFTER_MS)  # noqa: S311 - jitter
                    connection.refuse("going_away", retry_after_ms=pause)
                await self._wait_until_empty()

    async def cut_off(self) -> None:
        """End whoever is still there, and wait until each connection is over."""
        self.cutting_off()
        for connection in self:
            connection.abort()
        await self._wait_until_empty()

    async def _wait_until_empty(self) -> None:
        self._empty.clear()
        if self._all:
            await self._empty.wait()
