"""What is cut out of text that a person may read."""

import pytest

from bridge.config.redaction import redact

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl-_x"


@pytest.mark.parametrize(
    "line",
    [
        "GET /v3/ws/group/g/client/c?api_key=hush&jwt=hush HTTP/1.1",
        "('127.0.0.1', 1) - \"WebSocket /ws/lobby?x_account_id=hush\" [accepted]",
        "/ws?anything=hush",
        "api_key=hush",
        "API_KEY: hush",
        "{'api_key': 'hush', 'a': 1}",
        '{"jwt": "hush"}',
        '{\\"jwt\\": \\"hush\\"}',
        "x_account_id=hush&a=1",
        "X-Api-Key: hush",
        "x-api-key=hush",
        "[(b'x-api-key', b'hush'), (b'host', b'a')]",
        "Authorization: Bearer hush",
        "authorization: Basic hush",
        "jwt_secret='hush'",
        "BRIDGE_JWT_SECRET=hush",
        "password = hush; user = a",
        "Error 111 connecting to redis://user:hush@127.0.0.1:6379/0.",
        "rediss://:hush@host",
        "redis://:hu/hush@sh@host:6379",
        f"a token was sent: {TOKEN}".replace("c2lnbmF0dXJl", "hush"),
        TOKEN.replace("c2lnbmF0dXJl", "hush") + " is bad",
    ],
)
def test_a_credential_is_cut_out_of_a_line(line: str) -> None:
    assert "hush" in line
    assert "hush" not in redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "This key or token may not use this tenant",
        "the jwt has expired: fetch a new one",
        "connected to redis://127.0.0.1:6379/0",
        "ws://127.0.0.1:8000/v3/ws/group/lobby/client/ann",
        "{'tenant': 'acme', 'code': 'unauthenticated'}",
        "",
    ],
)
def test_a_line_without_credentials_stays_as_it_is(line: str) -> None:
    assert redact(line) == line


def test_what_stands_around_a_credential_stays() -> None:
    assert redact("a=1&api_key=hush&b=2") == "a=1&api_key=[redacted]&b=2"
    assert redact("redis://user:hush@127.0.0.1:6379/0") == "redis://127.0.0.1:6379/0"
    assert redact("GET /ws?jwt=hush HTTP/1.1") == "GET /ws? HTTP/1.1"
