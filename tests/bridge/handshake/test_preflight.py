"""Which web pages may speak to us, and who is served now. How it is said: `tests/end_to_end/test_handshake.py`."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.websockets import WebSocket

from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.handshake.preflight import Denied, OriginCheck, Preflight, answer_in_http
from bridge.handshake.subscriptions import Unavailable
from tests.bridge.handshake.servers import OtherServer

ALLOWED = "https://app.example.com"
LISTED = OriginCheck(Settings(allowed_origins=(ALLOWED,)))
OPEN = OriginCheck(Settings())
KEYED = OriginCheck(Settings(keys=(Key(name="web", sha256="0" * 64, tenants=("acme",)),)))
HOSTS = ("acme.example.com",)


def origins(*names: str) -> Headers:
    return Headers(raw=[(b"origin", name.encode()) for name in names])


def test_a_request_without_an_origin_was_sent_by_no_browser() -> None:
    assert LISTED.passes(Headers())
    assert OPEN.passes(Headers())


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "https://app.example.com.evil",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://app.example.com/",
        "https://APP.example.com",
        "null",
        "",
        "http://localhost",
    ],
)
def test_an_origin_that_is_not_listed_word_for_word_is_refused(origin: str) -> None:
    assert LISTED.passes(origins(ALLOWED))
    assert not LISTED.passes(origins(origin))
    assert not LISTED.passes(origins(ALLOWED, origin))


def test_once_there_are_keys_a_page_from_elsewhere_may_speak() -> None:
    has_keys = False
    check = OriginCheck(Settings(), lambda: has_keys)
    assert not check.passes(origins(ALLOWED))
    has_keys = True
    assert check.passes(origins(ALLOWED))


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:8000"])
def test_without_keys_a_page_on_loopback_may_speak(origin: str) -> None:
    assert OPEN.passes(origins(origin))


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://localhost.evil.com",
        "http://127.0.0.1.evil.com",
        "null",
        "file://localhost",
        "http://[",
    ],
)
def test_without_keys_any_other_page_is_refused(origin: str) -> None:
    assert not OPEN.passes(origins(origin))


def headers(host: str, *names: str) -> Headers:
    return Headers(raw=[(b"host", host.encode()), *((b"origin", name.encode()) for name in names)])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("api.example.com", "https://api.example.com"),
        ("api.example.com:8443", "https://API.example.com:8443"),
        ("api.example.com", "https://api.example.com:8443"),
        ("elsewhere.example.com", "http://acme.example.com"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_without_credentials_a_page_of_the_name_that_it_connects_to_may_speak(host: str, origin: str) -> None:
    assert KEYED.passes(headers(host, origin))
    assert KEYED.passes_anonymously(headers(host, origin), HOSTS)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://api.example.com.evil.example",
        "https://evil.example/api.example.com",
        "https://api.example.com@evil.example",
        "http://localhost",
        "null",
        "",
        "file://api.example.com",
        "https://",
        "https://[",
    ],
)
def test_without_credentials_any_other_page_is_refused(origin: str) -> None:
    assert KEYED.passes(headers("api.example.com", origin))
    assert not KEYED.passes_anonymously(headers("api.example.com", origin), HOSTS)
    assert not KEYED.passes_anonymously(headers("api.example.com", "https://api.example.com", origin), HOSTS)
    assert not KEYED.passes_anonymously(headers("", origin), ())


def test_without_credentials_what_no_page_sent_passes_and_a_listed_page_does() -> None:
    assert KEYED.passes_anonymously(headers("api.example.com"), HOSTS)
    assert LISTED.passes_anonymously(headers("api.example.com", ALLOWED), ())
    assert not LISTED.passes_anonymously(headers("api.example.com", "https://api.example.com"), ())
    assert OPEN.passes_anonymously(headers("api.example.com", "http://localhost:5173"), ())
    assert not OPEN.passes_anonymously(headers("api.example.com", "https://api.example.com"), ())


class Now:
    """The bus, the subscriber, the connections and the limits of a process, as a preflight looks at them."""

    def __init__(self) -> None:
        self.is_up, self.is_closing, self.has_no_place = True, False, False

    def is_full(self) -> bool:
        return self.has_no_place

    def preflight(self, **settings: Any) -> Preflight:
        whole: Any = self
        return Preflight(Settings(**settings), whole, whole, whole, whole)


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ({"is_closing": True}, 503, "overloaded"),
        ({"has_no_place": True}, 503, "overloaded"),
        ({"is_up": False}, 503, "bus_down"),
    ],
)
def test_who_cannot_be_served_now_is_told_so_and_when_to_come_back(state: Any, status: int, code: str) -> None:
    now = Now()
    vars(now).update(state)
    refusal = now.preflight().refusal(Headers())
    assert refusal is not None
    assert (refusal.status_code, json.loads(bytes(refusal.body))["code"]) == (status, code)
    assert int(refusal.headers["retry-after"]) > 0


def test_a_foreign_page_is_told_so_first() -> None:
    now = Now()
    now.is_closing = True
    refusal = now.preflight(allowed_origins=(ALLOWED,)).refusal(origins("https://evil.example"))
    assert refusal is not None
    assert (refusal.status_code, json.loads(bytes(refusal.body))["code"]) == (403, "forbidden_origin")


def test_everyone_else_passes() -> None:
    now = Now()
    assert now.preflight().refusal(Headers()) is None
    now.preflight().check_again()


@pytest.mark.parametrize(("state", "code"), [({"is_closing": True}, "going_away"), ({"is_up": False}, "bus_down")])
def test_who_was_checked_a_while_ago_is_checked_again(state: Any, code: str) -> None:
    now = Now()
    vars(now).update(state)
    with pytest.raises(Unavailable) as unavailable:
        now.preflight().check_again()
    assert unavailable.value.code == code


async def test_what_is_denied_is_answered_in_http() -> None:
    server = OtherServer()
    scope = {"type": "websocket", "headers": [], "extensions": server.extensions}
    await answer_in_http(WebSocket(scope, server.receive, server.send), Denied(Response("no", 418)))
    assert server.sent[0]["status"] == 418


def test_a_handshake_that_passes_is_told_with_all_that_it_brings() -> None:
    headers = [(b"host", b"a"), (b"x-forwarded-for", b"198.51.100.7")]
    scope = {"type": "websocket", "headers": headers, "query_string": b"api_key=a", "client": ("192.0.2.1", 1)}
    passed = WebSocket(scope, cast(Any, None), cast(Any, None))
    request = Now().preflight(trusted_proxies=("192.0.2.0/24",)).check(passed)
    assert (request.address, list(request.query)) == ("198.51.100.7", [("api_key", "a")])
    now = Now()
    now.has_no_place = True
    with pytest.raises(Denied):
        now.preflight().check(passed)
