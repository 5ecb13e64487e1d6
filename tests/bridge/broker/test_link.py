"""One connection to Redis, and whoever keeps it open."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Connection, Redis
from redis.asyncio.connection import ConnectionPool
from structlog.testing import capture_logs

from bridge.broker import link as link_module
from bridge.broker.commands import pack
from bridge.broker.link import CONNECT_SECONDS, FIRST_PAUSE_SECONDS, PIECE_BYTES, Keeper, Link, open_link, pool
from bridge.broker.refusal import LinkError
from tests.bridge.broker.parts import ANSWER_SECONDS, Answers, until
from tests.conftest import StartRedis
from tests.ports import free_port
from tests.proxy import proxy_to
from tests.stopwatch import Stopwatch


class Replies:
    """What came in, one after the other, and how often the link was lost."""

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.losses = 0

    def take(self, replies: Any) -> None:
        self.replies += replies

    def lose(self) -> None:
        self.losses += 1

    async def first(self, number: int) -> list[Any]:
        await until(lambda: len(self.replies) >= number)
        return self.replies[:number]


@pytest.fixture
def seen() -> Replies:
    return Replies()


async def opened(url: str, seen: Replies) -> Link:
    return await open_link(pool(url, "test-link"), seen.take, seen.lose)


async def test_replies_come_in_the_order_of_the_commands(redis_url: str, prefix: str, seen: Replies) -> None:
    link = await opened(redis_url, seen)
    for number in range(100):
        link.write(pack("INCR", f"{prefix}:n") if number % 2 else pack("ECHO", str(number)))
    expected = [(number + 1) // 2 if number % 2 else str(number).encode() for number in range(100)]
    assert await seen.first(100) == expected
    link.end()


async def test_an_error_of_redis_is_a_reply(redis_url: str, prefix: str, seen: Replies) -> None:
    link = await opened(redis_url, seen)
    link.write(pack("SADD", f"{prefix}:s", "x") + pack("GET", f"{prefix}:s") + pack("PING"))
    _, error, pong = await seen.first(3)
    assert isinstance(error, Exception)
    assert str(error).startswith("WRONGTYPE")
    assert pong == b"PONG"
    link.end()


async def test_replies_in_slices_are_put_together(redis_server: StartRedis, seen: Replies) -> None:
    async with proxy_to(redis_server().port) as proxy:
        proxy.down.in_slices = proxy.up.in_slices = True
        link = await opened(proxy.url, seen)
        link.write(pack("ECHO", "x" * 300) + pack("PING"))
        assert await seen.first(2) == [b"x" * 300, b"PONG"]
        link.end()


async def test_the_address_names_database_and_password(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    server.execute("CONFIG", "SET", "requirepass", "secret")
    link = await opened(f"redis://:secret@127.0.0.1:{server.port}/5", seen)
    link.write(pack("CLIENT", "INFO"))
    (info,) = await seen.first(1)
    assert b" db=5 " in info
    assert b" name=test-link " in info
    assert b" resp=2" in info
    link.end()


async def test_a_wrong_password_is_a_link_error(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    server.execute("CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(LinkError, match="AuthenticationError"):
        await opened(f"redis://:wrong@127.0.0.1:{server.port}/0", seen)


async def test_a_server_that_lets_nobody_give_names_is_used_without(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server("--rename-command", "CLIENT", "")
    links = pool(server.url, "test-link")
    with pytest.raises(LinkError, match="SETNAME"):
        await open_link(links, seen.take, seen.lose)
    link = await open_link(links, seen.take, seen.lose)
    link.write(pack("PING"))
    assert await seen.first(1) == [b"PONG"]
    link.end()


async def test_where_nobody_listens_is_a_link_error(seen: Replies) -> None:
    with pytest.raises(LinkError, match="ConnectionError"):
        await opened(f"redis://127.0.0.1:{free_port()}/0", seen)


async def test_a_redis_that_says_nothing_is_given_up(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    server.freeze()
    stopwatch = Stopwatch()
    with pytest.raises(LinkError):
        await opened(server.url, seen)
    assert stopwatch.least_seconds < CONNECT_SECONDS + 0.5


async def test_a_connection_that_is_reset_while_it_opens_is_a_link_error(
    redis_url: str, seen: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py writes to it, and uvloop says so in words that redis-py does not know."""

    async def write_to_a_closed_transport(*_: Any, **__: Any) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    monkeypatch.setattr(Connection, "on_connect_check_health", write_to_a_closed_transport)
    with pytest.raises(LinkError, match="handler is closed"):
        await opened(redis_url, seen)


async def test_an_opening_can_be_cancelled(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    server.freeze()
    opening = asyncio.create_task(opened(server.url, seen))
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    server.thaw()
    await until(lambda: "test-link" not in str(server.execute("CLIENT", "LIST")))


@pytest.mark.parametrize("answer", [None, ConnectionError("lost"), TimeoutError()])
async def test_a_cancellation_that_redis_py_swallows_is_not_lost(
    redis_url: str, seen: Replies, monkeypatch: pytest.MonkeyPatch, answer: Exception | None
) -> None:
    """Or a process that stops while a link opens would never end."""
    connect = Connection.connect

    async def swallow(connection: Connection) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if answer is not None:
                raise answer from None
            await connect(connection)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "connect", swallow)
    kept = Kept(redis_url)
    task = asyncio.create_task(kept.run())
    await asyncio.sleep(0.05)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
    assert done
    assert task.cancelled()
    assert kept.calls == []


async def test_it_is_lost_once_when_redis_ends_it(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    link = await opened(server.url, seen)
    server.execute("CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: seen.losses)
    link.end()
    assert seen.losses == 1


async def test_it_is_lost_at_once_when_it_is_ended(redis_url: str, seen: Replies) -> None:
    link = await opened(redis_url, seen)
    link.end()
    assert seen.losses == 1
    link.end()
    await asyncio.sleep(0)
    assert seen.losses == 1


@pytest.mark.parametrize("who", ["we", "Redis", "the network"])
async def test_what_is_written_to_a_link_that_has_ended_is_lost(
    redis_server: StartRedis, seen: Replies, who: str
) -> None:
    server = redis_server()
    async with proxy_to(server.port) as proxy:
        link = await opened(proxy.url, seen)
        if who == "we":
            link.end()
        elif who == "Redis":
            server.execute("CLIENT", "KILL", "TYPE", "normal")
        else:
            proxy.reset()

        def is_lost() -> int:
            link.write(pack("PING"))
            link.waiting_bytes()
            return seen.losses

        await until(is_lost)
        assert is_lost() == 1
        assert link.waiting_bytes() == 0


async def test_what_is_no_redis_protocol_ends_it_after_what_was_said_before(
    redis_server: StartRedis, seen: Replies
) -> None:
    async with proxy_to(redis_server().port) as proxy:
        await opened(proxy.url, seen)
        proxy.inject(b"+good\r\n?bad\r\n")
        await until(lambda: seen.losses)
        assert seen.replies == [b"good"]


class Turns:
    """How many replies came in each turn of the loop."""

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self._turns = [0]
        self._loop = asyncio.get_running_loop()
        self._turn()

    def _turn(self) -> None:
        self._turns.append(0)
        self._loop.call_soon(self._turn)

    def take(self, replies: Any) -> None:
        self.replies += replies
        self._turns[-1] += len(replies)

    @property
    def most(self) -> int:
        return max(self._turns)


NUMBERS = range(100_000, 300_000)
LINE_BYTES = len(b":100000\r\n")
LINES = b"".join(b":%d\r\n" % number for number in NUMBERS)


async def most_in_a_turn(port: int) -> int:
    """Of numbers that Redis says all at once: all come, in order."""
    async with proxy_to(port) as proxy:
        turns = Turns()
        link = await open_link(pool(proxy.url, "test-link"), turns.take, lambda: None)
        proxy.inject(LINES)
        await until(lambda: len(turns.replies) == len(NUMBERS))
        assert turns.replies == list(NUMBERS)
        link.write(pack("PING"))
        await until(lambda: len(turns.replies) == len(NUMBERS) + 1)  # it reads on
        link.end()
        return turns.most


async def test_what_comes_at_once_is_handled_in_turns_with_the_sockets(
    redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "TURN_SECONDS", 0.0)  # one piece a turn
    assert await most_in_a_turn(redis_server().port) <= PIECE_BYTES // LINE_BYTES + 1


async def test_without_turns_sockets_wait_for_all_of_it(
    redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PIECE_BYTES", len(LINES))
    assert await most_in_a_turn(redis_server().port) > 3 * PIECE_BYTES // LINE_BYTES


async def test_a_link_that_is_ended_hands_over_nothing_more(
    redis_server: StartRedis, seen: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "TURN_SECONDS", 0.0)
    async with proxy_to(redis_server().port) as proxy:
        link = await opened(proxy.url, seen)
        proxy.inject(LINES)
        await until(lambda: seen.replies)
        link.end()
        number = len(seen.replies)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (len(seen.replies), seen.losses) == (number, 1)
        assert number < len(NUMBERS)


async def test_it_knows_what_redis_has_not_taken(redis_server: StartRedis, seen: Replies) -> None:
    server = redis_server()
    link = await opened(server.url, seen)
    assert link.waiting_bytes() == 0
    server.freeze()
    link.write(pack("ECHO", "x" * 16_000_000))
    assert link.waiting_bytes() > 1_000_000
    link.end()


@pytest.mark.parametrize(
    ("parts", "packed"),
    [
        (("PING",), b"*1\r\n$4\r\nPING\r\n"),
        (("SET", b"\x00\r\n", 1), b"*3\r\n$3\r\nSET\r\n$3\r\n\x00\r\n\r\n$1\r\n1\r\n"),
        (("ECHO", "ü"), b"*2\r\n$4\r\nECHO\r\n$2\r\n\xc3\xbc\r\n"),
        (("INCRBYFLOAT", "k", 1.5), b"*3\r\n$11\r\nINCRBYFLOAT\r\n$1\r\nk\r\n$3\r\n1.5\r\n"),
    ],
)
def test_commands_are_packed_with_their_lengths(parts: Any, packed: bytes) -> None:
    assert pack(*parts) == packed


class Kept:
    """A keeper, and what it called."""

    def __init__(self, url: str) -> None:
        self.calls: list[str] = []
        self.replies = Answers()
        self.keeper = Keeper(pool(url, "test-keeper"), self.replies, "test")
        self.when_opened: Callable[[], None] = lambda: None

    def opened(self) -> None:
        self.calls.append("opened")
        self.when_opened()

    def lost(self) -> None:
        self.calls.append("lost")

    async def run(self) -> None:
        await self.keeper.run(self.opened, self.lost)


async def test_the_keeper_opens_another_link_after_each_loss(redis_server: StartRedis) -> None:
    server = redis_server()
    kept = Kept(server.url)
    task = asyncio.create_task(kept.run())
    for reconnects in range(3):
        await until(lambda: kept.keeper.link is not None)
        assert kept.keeper.reconnects == reconnects
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: kept.keeper.link is None)
    await until(lambda: kept.keeper.link is not None)
    assert kept.calls == ["opened", "lost"] * 3 + ["opened"]
    task.cancel()
    await asyncio.wait([task])


async def test_the_keeper_ends_its_link_when_it_is_cancelled(redis_url: str) -> None:
    kept = Kept(redis_url)
    task = asyncio.create_task(kept.run())
    await until(lambda: kept.keeper.link is not None)
    task.cancel()
    await asyncio.wait([task])
    assert kept.keeper.link is None
    assert kept.calls == ["opened", "lost"]
    async with Redis.from_url(redis_url) as redis:
        assert not [client for client in await redis.client_list() if client["name"] == "test-keeper"]


async def test_links_that_do_not_live_are_opened_ever_more_slowly(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may let us in and then refuse what we want: asking again and again must not burn a core."""
    monkeypatch.setattr(link_module, "STABLE_SECONDS", 60.0)
    kept = Kept(redis_url)
    kept.when_opened = lambda: kept.keeper.link.end() if kept.keeper.link is not None else None
    stopwatch = Stopwatch()
    task = asyncio.create_task(kept.run())
    await until(lambda: kept.calls.count("opened") == 5)
    task.cancel()
    await asyncio.wait([task])
    assert stopwatch.all_seconds > FIRST_PAUSE_SECONDS * (1 + 2 + 4 + 8)
    assert stopwatch.least_seconds < 2


async def test_a_link_that_lived_is_opened_again_without_delay(
    redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "STABLE_SECONDS", 0.0)
    server = redis_server()
    kept = Kept(server.url)
    task = asyncio.create_task(kept.run())
    for _ in range(8):
        await until(lambda: kept.keeper.link is not None)
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: kept.keeper.link is None)
        assert await until(lambda: kept.keeper.link is not None) < 0.3
    task.cancel()
    await asyncio.wait([task])


async def test_an_outage_is_one_line_in_the_log(redis_server: StartRedis) -> None:
    server = redis_server()
    kept = Kept(server.url)
    with capture_logs() as logs:
        task = asyncio.create_task(kept.run())
        await until(lambda: kept.keeper.link is not None)
        server.kill()
        await until(lambda: len(logs) == 2)
        await asyncio.sleep(0.5)  # some more attempts
        server.start()
        await until(lambda: kept.keeper.link is not None)
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in logs] == ["redis_link_lost", "redis_unreachable"]


@pytest.mark.parametrize(
    "trouble",
    [OSError(errno.EMFILE, "Too many open files"), socket.gaierror(-2, "Name or service not known"), TypeError("no")],
    ids=["files", "name", "anything"],
)
async def test_whatever_befalls_a_link_that_is_to_be_made_it_is_tried_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    kept, make, tries = Kept(redis_url), ConnectionPool.make_connection, iter(range(3))

    def make_or_fail(links: ConnectionPool) -> Any:
        if next(tries, None) is not None:
            raise trouble
        return make(links)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(ConnectionPool, "make_connection", make_or_fail)
    with capture_logs() as logs:
        task = asyncio.create_task(kept.run())
        await until(lambda: kept.keeper.link is not None)
    assert [line["event"] for line in logs] == ["redis_unreachable"]
    task.cancel()
    await asyncio.wait([task])


async def test_a_reply_that_cannot_be_used_ends_the_link_once(redis_url: str, seen: Replies) -> None:
    def fail(_replies: Any) -> None:
        raise KeyError("no")

    link = await open_link(pool(redis_url, "test-link"), fail, seen.lose)
    with capture_logs() as logs:
        link.write(pack("PING"))
        await until(lambda: seen.losses == 1)
    assert [line["event"] for line in logs] == ["redis_reply_failed"]
