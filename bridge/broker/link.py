"""One connection to Redis whose both ends are synchronous: commands are appended, replies come back in order.

redis-py opens it (address, TLS, credentials, database) and packs every command; then its socket is ours, so that what
Redis says is handled in the same turn of the loop in which it arrives. RESP2, no read timeout. A link never reconnects
and never retries: it ends once, calls `lost` once, and whoever owns it opens another.

Where much arrives at once it is handled for `TURN_SECONDS`, and a piece more; the rest of it in the next turns, and
nothing is read until then. So whoever floods us through Redis keeps no socket waiting: it is Redis that waits.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, cast

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Replies = Sequence[Any]
CONNECT_SECONDS: Final = 1.0
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 0.5
STABLE_SECONDS: Final = 0.1
TURN_SECONDS: Final = 0.004
PIECE_BYTES: Final = 16_384
"""So much is handed over in one go, a millisecond of small messages; a larger reply comes with its last piece."""

log = structlog.get_logger(__name__)


class LinkError(ConnectionError):
    """Redis could not be reached, or did not let us in; the message says which and why."""


class Link(asyncio.Protocol):
    """An open link. `replies` gets everything that came in one read; `lost` is called once, when it ends."""

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
        """Packed commands, sent in order with everything else that is written in this turn of the loop.

        What is written to a link that has ended is lost, as its owner learns from `lost`.
        """
        if not self._transport.is_closing():
            self._transport.write(commands)

    def waiting_bytes(self) -> int:
        """What Redis has not taken yet."""
        return self._transport.get_write_buffer_size()

    def end(self) -> None:
        """End at once; `lost` is called before this returns."""
        if not self._transport.is_closing():
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
        """With what was read, for one turn; then the sockets have theirs, before anything more is read."""
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
            self._hand_over(replies)

    def _hand_over(self, replies: Replies) -> None:
        """A reply that cannot be used ends the link: nobody could say any more which command the next one answers."""
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


def pack(*parts: bytes | str | float) -> bytes:
    """One command in the Redis protocol."""
    return cast(bytes, hiredis.pack_command(cast(Any, parts)))


def pool(url: str, name: str) -> ConnectionPool:
    """What opens links to `url`; `name` is what `CLIENT LIST` shows."""
    return ConnectionPool.from_url(
        url,
        protocol=2,
        client_name=name,
        socket_timeout=CONNECT_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def open_link(links: ConnectionPool, replies: Callable[[Replies], None], lost: Callable[[], None]) -> Link:
    """A new link. Raises `LinkError`; gives up after `CONNECT_SECONDS` whatever Redis does."""
    connection: AbstractConnection | None = None
    try:
        connection = cast(AbstractConnection, links.make_connection())  # type: ignore[no-untyped-call]
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
        end_if_cancelled()
        return Link(connection, replies, lost)
    except Exception as error:  # noqa: BLE001 - no files left, a name that is none, a socket that the loop says is closed
        await _give_up(connection)
        end_if_cancelled()
        raise LinkError(f"{type(error).__name__}: {error}") from None
    except asyncio.CancelledError:
        await _give_up(connection)
        raise


async def _give_up(connection: AbstractConnection | None) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):
            await connection.disconnect(nowait=True)


def end_if_cancelled() -> None:
    """Call this after redis-py.

    It may answer a cancellation with an error of its own, or with success: the task would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Keeper:
    """Keeps one link open for as long as `run` runs: whoever owns the task owns the link."""

    def __init__(self, links: ConnectionPool, replies: Callable[[Replies], None], name: str) -> None:
        self._links = links
        self._replies = replies
        self._name = name
        self._ended = asyncio.Event()
        self._trouble: str | None = None
        self.link: Link | None = None
        self.reconnects = 0

    async def run(self, opened: Callable[[], None], lost: Callable[[], None]) -> None:
        """`opened` after each link opens, `lost` after each ends; both synchronous. Ends only by cancellation.

        Between two attempts lies a pause, which grows as long as no link lives for `STABLE_SECONDS`.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            if await self._keep_one(opened, lost) > STABLE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _keep_one(self, opened: Callable[[], None], lost: Callable[[], None]) -> float:
        """One attempt; for how many seconds there was a link."""
        try:
            self.link = await open_link(self._links, self._replies, self._end)
        except LinkError as error:
            self._log_once(str(error))
            return 0.0
        self._trouble = None
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
            log.warning("redis_link_lost", link=self._name)
            self.reconnects += 1
        finally:
            self.link = None
            if link is not None:
                link.end()
            lost()

    def _log_once(self, trouble: str) -> None:
        """An outage is one line, not one for each attempt."""
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("redis_unreachable", link=self._name, reason=trouble)

    def _end(self) -> None:
        self._ended.set()
