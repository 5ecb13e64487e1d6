"""To which door a handshake goes."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from bridge.handshake.preflight import Denied
from bridge.runtime.doors import Doors


def doors(found: list[str]) -> Doors:
    def door(name: str) -> Any:
        async def enter(_scope: Any, _receive: Any, _send: Any) -> None:
            found.append(name)

        return enter

    async def denying(_scope: Any, _receive: Any, _send: Any) -> None:
        raise Denied(PlainTextResponse("no", 503))

    made = Doors()
    for path in ("/v3/ws", "/ws", "/ws_redis"):
        made.add(path, door(path))
    made.add("/denied", denying)
    return made


async def asked(path: str) -> tuple[list[str], list[dict[str, Any]]]:
    found, sent = list[str](), list[dict[str, Any]]()

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "websocket", "path": path, "headers": [], "extensions": {"websocket.http.response": {}}}
    await doors(found)(scope, send, send)  # type: ignore[arg-type]  # nothing is received
    return found, sent


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/v3/ws", "/v3/ws"),
        ("/v3/ws/group/g/client/c", "/v3/ws"),
        ("/ws", "/ws"),
        ("/ws/42", "/ws"),
        ("/ws/a\nb", "/ws"),
        ("/ws_redis/42", "/ws_redis"),
    ],
)
async def test_a_handshake_goes_to_the_door_of_its_path(path: str, door: str) -> None:
    assert await asked(path) == ([door], [])


@pytest.mark.parametrize("path", ["/", "", "/ws2", "/v3", "/v3/wss", "/WS", "//ws", "/x/ws"])
async def test_any_other_is_not_found(path: str) -> None:
    found, sent = await asked(path)
    assert (found, sent[0]["type"], sent[0]["status"]) == ([], "websocket.http.response.start", 404)


async def test_what_a_door_denies_is_answered_in_http() -> None:
    _, sent = await asked("/denied")
    assert (sent[0]["status"], sent[1]["body"]) == (503, b"no")
