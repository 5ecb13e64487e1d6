"""A connection to Redis with a synchronous interface: commands are written, and replies come to a callback, in order.

redis-py opens the connection (address, TLS, credentials, database). Then this module takes over its socket, so that
replies are handled in the same turn of the event loop in which they arrive. RESP2, no read timeout. A link never
reconnects and never retries: it ends once and calls `lost` once, and its owner opens another. What it has not sent
when we end it is never sent.

When much arrives at once, it is handled for `TURN_SECONDS` and at most one piece more, and the rest in later turns of
the loop. Nothing is read from the socket meanwhile. So a flood through Redis does not hold up the client sockets: Redis
has to wait.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, Protocol, cast

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bridge.broker.cluster import explained
from bridge.broker.refusal import LinkError, refusal_in

Replies = Sequence[object]
CONNECT_SECONDS: Final = 1.0
"""How long opening a link may take."""
FIRST_PAUSE_SECONDS: Final = 0.05
"""Pause before the second attempt to open a link; it doubles with each further one."""
LONGEST_PAUSE_SECONDS: Final = 0.5
STABLE_SECONDS: Final = 0.1
"""A link that lived longer resets the pause."""
TURN_SECONDS: Final = 0.004
"""How long replies that came at once are handled in one turn of the event loop."""
PIECE_BYTES: Final = 65_536
"""Replies are parsed in pieces of this size: some hundreds of small messages. A larger reply takes several pieces."""
_RESET_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing the socket sends a reset, and the kernel forgets what it has not delivered."""

log = structlog.get_logger(__name__)


class Link(asyncio.Protocol):
    """An open link. `replies` is called with all replies of one read; `lost` is called once, when the link ends."""

    def __init__(
        self, connection: AbstractConnection, replies: Callable[[Replies], None], lost: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._replies = replies
        self._lost: Callable[[], None] | None = lost
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._unread = b""
        self._unread_from = 0
        self._transport = cast(asyncio.Transport, connection._writer.transport)  # type: ignore[union-attr]
        self._transport.set_protocol(self)

    def write(self, commands: bytes) -> None:
        """Write packed commands; they are sent in order, after everything that was written before.

        If the link has ended they are dropped; the owner learns of the end from `lost`.
        """
        if not self._transport.is_closing():
            self._transport.write(commands)

    def waiting_bytes(self) -> int:
        """Bytes that were written and not yet sent."""
        return self._transport.get_write_buffer_size()

    def hand_over(self, replies: Callable[[Replies], None], lost: Callable[[], None]) -> None:
        """Call these two from now on. Raises `LinkError` if the link has ended."""
        if self._lost is None:
            raise LinkError("the connection was lost")
        self._replies, self._lost = replies, lost

    def end(self) -> None:
        """End the link at once; `lost` is called before this returns. What is not sent yet is dropped."""
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the other side has just ended it
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
            self._transport.abort()
        self._end()

    def data_received(self, data: bytes) -> None:
        if len(data) <= PIECE_BYTES and not self._unread:
            self._take(data)
            return
        is_waiting = bool(self._unread)
        self._unread, self._unread_from = self._unread[self._unread_from :] + data, 0
        if not is_waiting:
            self._go_on()

    def _go_on(self) -> None:
        """Handle what was read for one turn. Then let other sockets have theirs, before more is read."""
        ends_at = perf_counter() + TURN_SECONDS
        while self._unread_from < len(self._unread):
            start, self._unread_from = self._unread_from, self._unread_from + PIECE_BYTES
            self._take(self._unread[start : self._unread_from])
            if perf_counter() >= ends_at:
                break
        if not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport.is_closing():
            return
        if self._unread_from < len(self._unread):
            self._go_on()
        else:
            self._unread, self._unread_from = b"", 0
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        self._reader.feed(data)
        replies = []
        try:
            while (reply := self._reader.gets()) is not _INCOMPLETE:
                replies.append(reply)
        except hiredis.ProtocolError:
            self.end()
        if replies:
            self._pass_on(replies)

    def _pass_on(self, replies: Replies) -> None:
        """Pass the replies on. An error ends the link: replies could no longer be matched to their commands."""
        try:
            self._replies(replies)
        except Exception:
            log.exception("redis_reply_failed")
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        lost, self._lost = self._lost, None
        self._unread = b""
        if lost is not None:
            self._connection._reader = self._connection._writer = None
            lost()


_INCOMPLETE: Final = object()


def pool(url: str, name: str) -> ConnectionPool:
    """The pool that opens links to `url`; `name` is shown by `CLIENT LIST`. It never retries."""
    return ConnectionPool.from_url(
        url,
        protocol=2,
        client_name=name,
        socket_timeout=CONNECT_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class Trial(Protocol):
    """Decides whether a link may be used, by asking Redis before its owner gets it."""

    async def stand(self, link: Link) -> None:
        """Ask on this link. Raises `LinkError` if Redis refuses, or does not answer in time."""


def database_in(url: str) -> int:
    """The number of the database that `url` names."""
    return int(parse_url(url).get("db", 0))


async def open_link(
    links: ConnectionPool, replies: Callable[[Replies], None], lost: Callable[[], None], trial: Trial | None = None
) -> Link:
    """Open a link. Raises `LinkError`; gives up after `CONNECT_SECONDS`, whatever Redis does."""
    link = Link(await open_connection(links), replies, lost)
    if trial is not None:
        await trial.stand(link)
        link.hand_over(replies, lost)
    return link


async def open_connection(links: ConnectionPool) -> AbstractConnection:
    """Open a connection of redis-py. Raises `LinkError`; gives up after `CONNECT_SECONDS`, whatever Redis does."""
    connection: AbstractConnection | None = None
    try:
        connection = cast(AbstractConnection, links.make_connection())  # type: ignore[no-untyped-call]
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
        end_if_cancelled()
    except Exception as error:  # noqa: BLE001 - no files left, an unknown host, a socket already closed
        await give_up(connection)
        end_if_cancelled()
        if "client" in (refusal_in(error) or "").lower():  # Redis refuses CLIENT SETNAME: the next have no name
            links.connection_kwargs.pop("client_name", None)
        raise LinkError(explained(f"{type(error).__name__}: {error}"), refusal_in(error)) from None
    except asyncio.CancelledError:
        await give_up(connection)
        raise
    return connection


async def give_up(connection: AbstractConnection | None) -> None:
    """Close it, whatever state it is in."""
    if connection is not None:
        with contextlib.suppress(Exception):
            await connection.disconnect(nowait=True)


def end_if_cancelled() -> None:
    """Raise `CancelledError` if the current task was cancelled. Call this after each await of redis-py.

    redis-py may answer a cancellation with an error of its own, or with success; then the task would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Keeper:
    """Keeps one link open while `run` runs, and opens another when it ends. A link that fails its trial is not used."""

    def __init__(
        self, links: ConnectionPool, replies: Callable[[Replies], None], name: str, trial: Trial | None = None
    ) -> None:
        self._links = links
        self._replies = replies
        self._name = name
        self._trial = trial
        self._ended = asyncio.Event()
        self._trouble: str | None = None
        self.link: Link | None = None
        self.refusal: str | None = None
        """While there is no link: what Redis said when it refused the last one, if it did."""
        self.reconnects = 0

    def end_link(self, refusal: str | None = None) -> None:
        """End the link that is open now, if there is one. `refusal`: what Redis said, if that is the reason."""
        if self.link is not None and not self._ended.is_set():
            self.refusal = refusal
            self.link.end()

    async def run(self, opened: Callable[[], None], lost: Callable[[], None]) -> None:
        """Keep a link open until cancelled. `opened` is called after each link opens, `lost` after each ends.

        Both are called synchronously. Between two attempts there is a pause, which grows as long as no link lives for
        `STABLE_SECONDS`.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            if await self._keep_one(opened, lost) > STABLE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _keep_one(self, opened: Callable[[], None], lost: Callable[[], None]) -> float:
        """Open a link and wait for its end; return for how many seconds it was open."""
        try:
            self.link = await open_link(self._links, self._replies, self._end, self._trial)
        except LinkError as error:
            self.refusal = error.refusal
            self._log_once(str(error))
            return 0.0
        self._trouble = self.refusal = None
        now = asyncio.get_running_loop().time
        opened_at = now()
        await self._until_lost(opened, lost)
        return now() - opened_at

    async def _until_lost(self, opened: Callable[[], None], lost: Callable[[], None]) -> None:
        link = self.link
        try:
            self._ended.clear()
            opened()
            await self._ended.wait()
            log.warning("redis_link_lost", link=self._name, **({"reason": self.refusal} if self.refusal else {}))
            self.reconnects += 1
        finally:
            self.link = None
            if link is not None:
                link.end()
            lost()

    def _log_once(self, trouble: str) -> None:
        """Log a reason once, not at each attempt."""
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("redis_unreachable", link=self._name, reason=trouble)

    def _end(self) -> None:
        self._ended.set()
