"""Who uses the admin API is a line of the log once an hour; refused keys are a few lines a minute, without the key."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request
from structlog.testing import capture_logs

from bridge.admin import sign_ins
from bridge.admin.sign_ins import AGAIN_SECONDS, MINUTE_SECONDS, MOST_REFUSALS_TOLD, SignIns


def request(address: str | None = "192.0.2.7", forwarded: str = "") -> Request:
    headers = [(b"user-agent", b"browser/1"), (b"authorization", b"Bearer secret")]
    scope: dict[str, Any] = {"type": "http", "headers": [*headers, (b"x-forwarded-for", forwarded.encode())]}
    return Request({**scope, "client": None if address is None else (address, 1)})


def test_a_key_is_told_once_an_hour_from_each_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "MOST_SEEN", 2)
    now = 0.0
    lines = SignIns(("192.0.2.9",), lambda: now)
    with capture_logs() as said:
        for address, forwarded in (("192.0.2.7", ""), ("192.0.2.8", ""), ("192.0.2.9", "203.0.113.4")):
            lines.admitted(request(address, forwarded), "boss")
        now = AGAIN_SECONDS
        lines.admitted(request(), "boss")
        lines.admitted(request(), "clerk")
    assert [(line["who"], line["address"]) for line in said] == [
        ("boss", "192.0.2.0/24"),
        ("boss", "203.0.113.0/24"),
        ("boss", "192.0.2.0/24"),
        ("clerk", "192.0.2.0/24"),
    ]
    assert {line["log_level"] for line in said} == {"info"}
    assert "secret" not in str(said)


def test_refused_keys_are_told_a_few_times_a_minute_and_then_how_many_were_not() -> None:
    now = 0.0
    lines = SignIns(seconds=lambda: now)
    with capture_logs() as said:
        for _ in range(MOST_REFUSALS_TOLD + 5):
            lines.refused(request(), "unauthenticated")
        now = MINUTE_SECONDS
        lines.refused(request(), "forbidden")
        lines.refused(request(None), "unauthenticated")
    assert len(said) == MOST_REFUSALS_TOLD + 1
    assert (said[-1]["code"], said[-1]["others"], said[-1]["user_agent"]) == ("forbidden", 5, "browser/1")
    assert "secret" not in str(said)
