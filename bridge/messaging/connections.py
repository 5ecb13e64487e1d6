"""The open connections of this process. Each joins a socket, a session, a listener in the hub and a presence entry.

A connection begins when Redis has confirmed its subscriptions. It ends exactly once, whether the client, the bridge or
an error ends it. It decides nothing about messages: it passes them to its session.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from bridge.broker.presence import Place, Presence
from bridge.budget.accounts import Holder
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.passage import Passage
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.sockets.outbox import Outbox
from bridge.system.observers import Observers

RETRY_AFTER_MS: Final = (250, 3_000)
CLOCK_LOOK_SECONDS: Final = 30.0
SHORT_SECONDS: Final = 1.0
"""A process that has less time to end sends everybody away at once."""


class Session(Protocol):
    """What a connection needs from a session of V2 or V3."""

    def receive(self, text: str, receipt: Any = None) -> None:
        """Handle one text message. `receipt`, a type of the session's own, is told whether it was published."""

    def refuse(self, code: str, **extra: object) -> None:
        """Send the client an ERROR with this code and the members `extra`; close if the closed list says so."""


class Ticket(NamedTuple):
    """With what a connection was admitted: the SHA-256 of its key, empty without one, and the key's grant.

    `needs_no_key`: its tenant admits V2 clients without credentials.
    """

    key_digest: str = ""
    grant: str = "none"
    needs_no_key: bool = False


NO_TICKET: Final = Ticket()


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The facts about a connection that never change.

    `path_ids`: group id and client id as sent in the URL path. `hears_since` (when it was made) and `expires_at` (when
    its token expires, if it has one) are in seconds since the epoch.
    """

    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor
    hears_since: float
    user_agent: str = ""
    expires_at: float | None = None
    address: str = ""
    ticket: Ticket = NO_TICKET

    @property
    def speaks_as(self) -> str:
        """The client id that its messages are recorded under: the visitor's, or the one generated for it."""
        return self.place.client if self.visitor.client_id is None else self.visitor.client_id


CALLED_BACK: Final = frozenset({"going_away", "token_expired", "moved_to_v3", "v2_retired"})
"""Refusals after which a client comes back, here or elsewhere, perhaps with another token."""


class Connection:
    """One connection, and what its socket calls when something arrives."""

    __slots__ = (
        "_expiry",
        "_home",
        "_listener",
        "_session",
        "holder",
        "info",
        "is_over",
        "outbox",
        "passage",
        "receive",
        "refused_with",
    )

    reads_binary: Final = True

    def __init__(
        self,
        info: ConnectionInfo,
        session: Session,
        outbox: Outbox,
        listener: Listener,
        home: "Connections",
        holder: Holder,
    ) -> None:
        """`holder` is charged for what is read from the socket."""
        self.info: Final = info
        self.holder: Final = holder
        self.outbox: Final = outbox
        self._session = session
        self._listener = listener
        self._home = home
        self._expiry: asyncio.TimerHandle | None = None
        self.is_over = False
        self.passage: Final = Passage[Connection]()
        self.refused_with = ""
        """The code of its last refusal."""
        self.receive: Final = session.receive

    def begin(self) -> None:
        """From now on, receive messages from the bus and from the client."""
        if first := self.passage.first_words():
            self.outbox.write(first)
        self._home.add(self, self._listener)
        if self.info.expires_at is not None:
            self._await_expiry(self.info.expires_at)

    def _await_expiry(self, expires_at: float) -> None:
        """Look at the clock again in at most `CLOCK_LOOK_SECONDS`: tokens use the wall clock, which may be set."""
        seconds = min(max(0.0, expires_at - self._home.epoch_seconds()), CLOCK_LOOK_SECONDS)
        self._expiry = asyncio.get_running_loop().call_later(seconds, self._look_at_the_clock, expires_at)

    def _look_at_the_clock(self, expires_at: float) -> None:
        if self._home.epoch_seconds() < expires_at:
            self._await_expiry(expires_at)
        else:
            self.dismiss("token_expired")

    def refuse(self, code: str, **extra: object) -> None:
        """Send the client an ERROR with this code and the members `extra`; close if the closed list says so."""
        self.refused_with = code
        self._session.refuse(code, **extra)

    def dismiss(self, code: str, *, is_expected: bool = True, **extra: object) -> None:
        """Send the client away politely: refuse it with this code when nothing said to it alone can arrive any more.

        So whoever says something to it meanwhile knows whether it was delivered. `is_expected`: whether it comes back
        under the same name, if this code lets it come back at all. Only the first call counts.
        """
        if not self.outbox.is_leaving:
            self.outbox.is_leaving = True
            is_expected = is_expected and code in CALLED_BACK
            self.passage.withdraw(is_expected, lambda since: self._send_away(code, since, extra))

    def _send_away(self, code: str, since: str | None, extra: dict[str, object]) -> None:
        if not self.is_over:
            if since is not None and "successor" in extra:
                extra = {**extra, "since": since}
            self.passage.cursor = since
            self.refuse(code, **extra)

    def abort(self) -> None:
        """Abort the socket at once; data that waits to be sent is dropped."""
        self.outbox.abort()

    def alive(self) -> None:
        """The client has given a sign of life: it answered a ping, or has sent anything else instead."""
        if self.info.visitor.language == "v2":
            self._home.presence.touch(self.info.place)
            self.passage.staying()

    def taken_all(self) -> None:
        """The client has certainly taken all that it was sent, and ends the connection, or answers its end."""
        self.passage.has_taken_all = True
        if self.is_over and self.passage.cursor is not None:  # it was sent away
            self.passage.leaving(self)

    def lost(self) -> None:
        """The connection is over; harmless when repeated."""
        if self.is_over:
            return
        self.is_over = True
        self.passage.leaving(self)
        self.outbox.end()
        if self._expiry is not None:
            self._expiry.cancel()
        self._home.discard(self, self._listener)
        self.passage.over()


class Connections:
    """All open connections of this process: adds and removes them, counts them, and closes them at the end."""

    def __init__(self, hub: Hub, presence: Presence, counts: Counts, epoch_seconds: Callable[[], float]) -> None:
        self.hub: Final = hub
        self.presence: Final = presence
        self.counts: Final = counts
        self.epoch_seconds: Final = epoch_seconds
        self._all: dict[Connection, None] = {}
        self._by_tenant: Counter[tuple[str, str]] = Counter()
        self._empty = asyncio.Event()
        self.begun: Final = Observers[[Connection]]()
        """Called with each connection that begins."""
        self.ended: Final = Observers[[Connection]]()
        """Called with each connection that is over."""
        self.flushes: Final[list[Callable[[], Awaitable[None]]]] = []
        """Called at the end, when all connections are over: each returns when clients have taken what still waits."""
        self.closing: Final = Observers[[]]()
        """Called when the process begins to close its connections."""
        self.cutting_off: Final = Observers[[]]()
        """Called before the remaining connections are aborted, without waiting for what they have not read."""
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
        """Add a connection that begins, and its listener to the hub."""
        place = connection.info.place
        self._all[connection] = None
        self._by_tenant[place.tenant, place.protocol] += 1
        self.counts.accepted[place.protocol] += 1
        self.hub.join(listener)
        self.begun(connection)

    def discard(self, connection: Connection, listener: Listener) -> None:
        """Remove a connection that is over, and its listener from the hub."""
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
        """The names of the tenants that have connections in this process."""
        return {tenant for tenant, _ in self._by_tenant}

    def send_all_away(self, *, is_in_a_hurry: bool = False) -> None:
        """Refuse every connection with `going_away`. In a hurry nobody waits for Redis."""
        for connection in self:
            pause = random.randint(*RETRY_AFTER_MS)  # noqa: S311 - jitter
            leave = connection.refuse if is_in_a_hurry else connection.dismiss
            leave("going_away", retry_after_ms=pause)

    async def close_all(self, seconds: float) -> None:
        """Send every connection away, and wait until all are over and flushed: at most this long."""
        self.is_closing = True
        self.closing()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                self.send_all_away(is_in_a_hurry=seconds <= SHORT_SECONDS)
                await self._wait_until_empty()
                for flush in self.flushes:
                    await flush()

    async def cut_off(self) -> None:
        """Abort the remaining connections, and wait until all are over."""
        self.cutting_off()
        for connection in self:
            connection.abort()
        await self._wait_until_empty()

    async def _wait_until_empty(self) -> None:
        self._empty.clear()
        if self._all:
            await self._empty.wait()
