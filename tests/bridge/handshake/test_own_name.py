"""Which names a bridge without keys answers to; at which doors: `tests/end_to_end/test_handshake.py`."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.handshake.own_name import OwnName, answers_every_name

KEY = Key(name="web", sha256="0" * 64, tenants=("acme",))


async def statuses(kind: str, *hosts: bytes) -> list[int]:
    sent: list[Any] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any: ...

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = {"type": kind, "headers": [(b"host", host) for host in hosts], "extensions": extensions}
    await OwnName(application)(scope, receive, send)
    return [event["status"] for event in sent if "status" in event]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("hosts", "status"),
    [((b"localhost:8000",), 200), ((), 200), ((b"evil.example",), 403), ((b"localhost", b"evil.example"), 403)],
)
async def test_a_request_passes_by_the_name_that_it_asks_for(kind: str, hosts: Any, status: int) -> None:
    assert await statuses(kind, *hosts) == [status]


async def test_what_is_no_request_passes() -> None:
    assert await statuses("lifespan", b"evil.example") == [200]


def test_who_has_a_key_or_wants_it_open_is_asked_by_any_name() -> None:
    assert answers_every_name(Settings(keys=(KEY,)))
    assert answers_every_name(Settings(open_admission=True))
    assert not answers_every_name(Settings())
