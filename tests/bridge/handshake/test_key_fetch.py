"""One fetch: that it ends, whatever the server does, and holds no more than it may."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from urllib.error import HTTPError

import pytest

from bridge.handshake.key_fetch import MOST_BYTES, Fetch, TooMuch
from tests.bridge.handshake.key_server import KeyServer, Mood, key_server
from tests.stopwatch import Stopwatch


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as one:
        yield one


def fetched(url: str) -> bytes:
    return Fetch(url, 5, bytes).done.result(10)


def test_what_the_server_says_is_fetched(server: KeyServer) -> None:
    assert fetched(server.url) == server.key_set()
    assert server.said == [None]


def test_what_is_too_much_is_left_unread(server: KeyServer) -> None:
    server.mood = "endless"
    with pytest.raises(TooMuch, match=f"{MOST_BYTES:,}"):
        fetched(server.url)


@pytest.mark.parametrize("mood", ["dripping", "dripping its head", "silent"])
def test_it_ends_when_it_is_told_to_however_the_server_drips(server: KeyServer, mood: Mood) -> None:
    server.mood = mood
    fetch, stopwatch = Fetch(server.url, 60, bytes), Stopwatch()
    with pytest.raises(TimeoutError):
        fetch.done.result(0.3)
    fetch.end()
    fetch._thread.join(10)
    assert not fetch.is_running
    assert stopwatch.least_seconds < 5
    assert fetch.done.done()


def test_it_keeps_no_connection_that_is_made_after_its_end(server: KeyServer) -> None:
    fetch = Fetch(server.url, 5, bytes)
    fetch.done.result(10)
    fetch.end()
    with pytest.raises(OSError, match="urlopen"):
        fetch._body()


def test_it_goes_where_it_is_sent_on_the_same_server_alone(server: KeyServer) -> None:
    server.mood = "sending away"
    assert fetched(server.url) == server.key_set()
    with key_server() as other:
        server.mood, server.elsewhere = "sending elsewhere", other.url
        for elsewhere in (other.url, "file:///etc/passwd", server.url.replace("127.0.0.1", "localhost"), "https://x"):
            server.elsewhere = elsewhere
            with pytest.raises(HTTPError):
                fetched(server.url)
        assert other.asked == []


def test_a_user_and_a_password_in_the_address_are_sent_as_such(server: KeyServer) -> None:
    fetched(server.url.replace("//", "//user:p%40ss@"))
    assert server.said == [f"Basic {b64encode(b'user:p@ss').decode()}"]


@pytest.mark.parametrize("url", ["nothing", "http://", "http://127.0.0.1:1/", "gopher://x/", "http://[/"])
def test_an_address_that_is_none_fails(url: str) -> None:
    with pytest.raises((OSError, ValueError)):
        fetched(url)
