"""Which names a bridge without keys answers to; at which doors: `tests/end_to_end/test_handshake.py`."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.handshake.own_name import OwnName


async def statuses(kind: str, *hosts: bytes, answers_every_name: bool = False) -> list[int]:
    sent: list[Any] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any: ...

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = {"type": kind, "headers": [(b"host", host) for host in hosts], "extensions": extensions}
    await OwnName(application, lambda: answers_every_name)(scope, receive, send)
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


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_where_every_name_is_answered_each_passes(kind: str) -> None:
    assert await statuses(kind, b"evil.example", answers_every_name=True) == [200]
