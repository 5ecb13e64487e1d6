"""In open mode only requests to a loopback name are answered, at every door.

So no web site can speak to a developer's bridge by a name of its own that it points to 127.0.0.1 (DNS rebinding).

Decided here: a request without a Host header passes, since every browser sends one. Where the operator has set
`open_admission`, the bridge is meant for others, under names that it cannot know: then every name passes.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.config.hosts import host_in, is_loopback

SENTENCE: Final = (
    "Without keys this bridge answers to localhost alone: open it under that name, configure a key, or set "
    "open_admission."
)


class OwnName:
    """Wraps `application`: a request for a name that is not loopback's is answered with 403.

    `answers_every_name` is asked at each request: the first key, or a configuration that is read anew, changes it.
    """

    def __init__(self, app: ASGIApp, answers_every_name: Callable[[], bool]) -> None:
        self._application = app
        self._answers_every_name = answers_every_name

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan" or self._answers_every_name() or _is_ours(Headers(scope=scope)):
            return self._application(scope, receive, send)
        return _refuse(scope, receive, send)


def _is_ours(headers: Headers) -> bool:
    return all(is_loopback(host_in(host)) for host in headers.getlist("host"))


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"code": "forbidden_host", "msg": SENTENCE}, 403)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
