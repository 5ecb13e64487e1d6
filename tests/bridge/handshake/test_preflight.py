"""Which web pages may speak to us. That they are answered in HTTP is in `tests/end_to_end/test_handshake.py`."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.handshake.preflight import OriginCheck

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
