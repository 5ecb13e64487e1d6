"""The keys of an address: who waits for them, and what a bad server can do about it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.handshake import key_cache
from bridge.handshake.key_cache import KeyCache, Unreachable
from bridge.handshake.key_fetch import Fetch
from tests.bridge.broker.parts import until
from tests.bridge.handshake.key_server import KeyServer, Mood, key_server
from tests.stopwatch import Stopwatch

ALGORITHMS = ("RS256", "ES256")
BAD = tuple(mood for mood in get_args(Mood) if mood not in ("well", "sending away"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyServer]:
    monkeypatch.setattr(key_cache, "ANSWER_SECONDS", 1.0)
    with key_server() as one, key_server() as other:
        one.keys["first"] = ec.generate_private_key(ec.SECP256R1()).public_key()
        one.elsewhere = other.url
        yield one


def make_old(keys: KeyCache, seconds: float) -> None:
    keys._asked_at -= seconds


async def until_idle(keys: KeyCache) -> None:
    await until(lambda: keys._asking is None and not (keys._fetch and keys._fetch.is_running))


@pytest.mark.parametrize("mood", BAD)
async def test_known_keys_are_good_at_once_whatever_the_server_does(server: KeyServer, mood: Mood) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    known = await keys.key("first")
    assert known is not None
    await until_idle(keys)
    server.mood = mood
    for _ in range(2):
        make_old(keys, key_cache.KEPT_SECONDS + 1)
        stopwatch = Stopwatch()
        assert await keys.key("first") is known
        assert stopwatch.least_seconds < 0.2
        await until_idle(keys)
    assert await keys.key("first") is known
    assert len(server.asked) <= 3


@pytest.mark.parametrize("mood", BAD)
async def test_whoever_waits_for_the_first_keys_waits_so_long_at_most(server: KeyServer, mood: Mood) -> None:
    server.mood, keys, stopwatch = mood, KeyCache(server.url, ALGORITHMS), Stopwatch()
    with structlog.testing.capture_logs() as logged:
        asked = (keys.key(f"name-{number}") for number in range(50))
        assert set(map(type, await asyncio.gather(*asked, return_exceptions=True))) == {Unreachable}
        assert stopwatch.least_seconds < 5
        with pytest.raises(Unreachable):
            await keys.key("first")
        assert not keys.is_well
        await until_idle(keys)
    assert len(server.asked) == 1
    assert [line["event"] for line in logged] == ["keys_unreachable"]
    assert keys._keys == {}
    server.mood = "well"
    make_old(keys, key_cache.PAUSE_SECONDS + 1)
    assert await keys.key("first") is not None


async def test_there_is_one_fetch_at_a_time_and_its_thread_ends(server: KeyServer) -> None:
    server.mood, keys = "dripping", KeyCache(server.url, ALGORITHMS)
    for _ in range(3):
        make_old(keys, key_cache.PAUSE_SECONDS + 1)
        await asyncio.gather(*(keys.key(f"name-{number}") for number in range(10)), return_exceptions=True)
        await until_idle(keys)
    await until(lambda: server.gone == 3)
    assert len(server.asked) == 3


async def test_after_a_long_silence_a_withdrawn_key_is_not_believed(server: KeyServer) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    assert await keys.key("first") is not None
    server.keys = {"second": ec.generate_private_key(ec.SECP256R1()).public_key()}
    make_old(keys, 2 * key_cache.KEPT_SECONDS + 1)
    assert await keys.key("first") is None
    assert await keys.key("second") is not None


async def test_a_key_is_known_as_soon_as_it_is_published_and_strangers_have_no_fetch_each(server: KeyServer) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    keys.prefetch()
    assert await keys.key("first") is not None
    server.keys["second"] = server.keys["first"]
    assert await keys.key("second") is not None
    assert [await keys.key(f"name-{number}") for number in range(50)] == [None] * 50
    assert len(server.asked) == 2


async def test_a_thread_that_has_told_its_result_keeps_nobody_from_asking_anew(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, may_end = Fetch.end, threading.Event()

    def end_late(fetch: Fetch[Any]) -> None:
        if threading.current_thread() is not threading.main_thread():
            may_end.wait(30)
        end(fetch)

    monkeypatch.setattr(Fetch, "end", end_late)
    keys = KeyCache(server.url, ALGORITHMS)
    keys.prefetch()
    assert await keys.key("first") is not None
    server.keys["second"] = server.keys["first"]
    assert await keys.key("second") is not None
    may_end.set()


async def test_nobody_is_called_unknown_where_the_server_cannot_be_asked_any_more(server: KeyServer) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    keys.prefetch()
    assert await keys.key("first") is not None
    server.mood = BAD[0]
    with pytest.raises(Unreachable):
        await keys.key("second")


async def test_whoever_gives_up_waiting_leaves_it_to_the_others(server: KeyServer) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    impatient, patient = asyncio.create_task(keys.key("first")), asyncio.create_task(keys.key("first"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is not None


class SlowReading:
    """What is read of the first set, once it may `go_on`; `begun` is how often anyone began."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = threading.Event()

    def __call__(self, body: bytes, algorithms: tuple[str, ...]) -> dict[str, object]:
        self.begun += 1
        return {"first": algorithms} if self.go_on.wait(10) else {}


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowReading]:
    slow = SlowReading()
    monkeypatch.setattr(key_cache, "published_keys", slow)
    yield slow
    slow.go_on.set()


async def test_the_loop_goes_on_while_a_set_is_read(server: KeyServer, reading: SlowReading) -> None:
    asking = asyncio.create_task(KeyCache(server.url, ALGORITHMS).key("first"))
    await until(lambda: reading.begun == 1)
    reading.go_on.set()
    assert await asking == ALGORITHMS


async def test_a_set_that_is_long_in_reading_is_given_up_and_no_other_is_read_meanwhile(
    server: KeyServer, reading: SlowReading
) -> None:
    keys = KeyCache(server.url, ALGORITHMS)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await keys.key("first")
        make_old(keys, key_cache.PAUSE_SECONDS + 1)
    assert reading.begun == 1
    reading.go_on.set()
    await until_idle(keys)
    assert await keys.key("first") == ALGORITHMS


async def test_a_password_in_the_address_is_in_no_line_of_the_log() -> None:
    with structlog.testing.capture_logs() as logged:
        for address in ("http://user:hush@127.0.0.1:1/?api_key=hush", "http://user:hush@[/"):
            with pytest.raises(Unreachable):
                await KeyCache(address, ALGORITHMS).key("first")
    assert len(logged) == 2
    assert "hush" not in repr(logged)
