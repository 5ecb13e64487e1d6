"""What is answered in HTTP before anyone is asked who they are: a foreign origin, overload, a bus that is down.

No client of ours causes these; a browser sees only that the handshake failed. It never looks at credentials.
"""

import contextlib
from collections.abc import Collection
from typing import Final, NoReturn
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.broker.bus import Bus
from bridge.broker.subscriber import Subscriber
from bridge.budget.budget import Budget
from bridge.budget.shares import Kind, Shares
from bridge.config.sections import LOOPBACK_HOSTS
from bridge.config.settings import Settings
from bridge.messaging.connections import Connections
from bridge.sockets.later import later

_LOOPBACK: Final = frozenset(f"[{host}]" if ":" in host else host for host in LOOPBACK_HOSTS)
_ORIGIN_SENTENCE: Final = "This web origin may not connect; add it to allowed_origins."


class Turned(Exception):
    """The knock was answered in HTTP."""


class OriginCheck:
    """Which web pages may speak to us. A request without an Origin was sent by no browser."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(settings.allowed_origins)
        self._only_loopback = settings.is_open and not settings.allowed_origins

    def passes(self, headers: Headers) -> bool:
        origins = headers.getlist("origin")
        if not origins:
            return True
        if self._allowed:
            return all(origin in self._allowed for origin in origins)
        return not self._only_loopback or all(_is_loopback(origin) for origin in origins)

    def passes_anonymously(self, headers: Headers, hosts: Collection[str]) -> bool:
        """Whether a page may speak that brings no credentials: a listed one, or one of the name that it connects to.

        `hosts` are other names by which its tenant is called. Ports are not compared: a proxy may leave them out.
        """
        if self._allowed or self._only_loopback:
            return self.passes(headers)
        own = {host_name(headers.get("host", "")), *hosts}
        return all(_host_of(origin) in own for origin in headers.getlist("origin"))


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    return host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()


def _is_loopback(origin: str) -> bool:
    return _host_of(origin) in _LOOPBACK


def _host_of(origin: str) -> str | None:
    """The name of a web origin's host, as a Host header has it; `None` for what is no such origin."""
    try:
        parts = urlsplit(origin)
        name = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None
    return f"[{name}]" if name is not None and ":" in name else name


class Reception:
    """Whether a handshake can be looked at now, and whether there is a place for whom it turns out to be."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        subscriber: Subscriber,
        connections: Connections,
        most_connections: int,
        budget: Budget,
    ) -> None:
        self.settings: Final = settings
        self.budget: Final = budget
        self._bus = bus
        self._subscriber = subscriber
        self._connections = connections
        self.origins: Final = OriginCheck(settings)
        several: dict[Kind, bool] = {"tenant": len(settings.known_tenants()) > 1, "key": len(settings.keys) > 1}
        self.shares: Final = Shares(most_connections, several)

    @property
    def serves_now(self) -> bool:
        """Whether Redis can be reached and heard."""
        return self._bus.is_up and self._subscriber.is_up

    async def check(self, websocket: WebSocket) -> None:
        """Answer in HTTP whoever may not or cannot be served now. Raises `Turned`."""
        refusal = self.refusal(websocket.headers)
        if refusal is not None:
            await deny(websocket, refusal)

    def refusal(self, headers: Headers) -> Response | None:
        """The answer to whoever may not or cannot be served now, if that is so."""
        if not self.origins.passes(headers):
            return foreign_origin()
        if self._connections.is_closing or self.shares.is_full:
            return later("overloaded", "This process serves as many connections as it can.")
        if not self.serves_now:
            return later("bus_down", "Redis cannot be reached; connect again in a moment.")
        return None


def foreign_origin() -> Response:
    """403: this page may not connect."""
    return JSONResponse({"code": "forbidden_origin", "msg": _ORIGIN_SENTENCE}, 403)


async def deny(websocket: WebSocket, response: Response) -> NoReturn:
    """Answer a handshake in HTTP. Raises `Turned`, also where nobody is left to hear it."""
    with contextlib.suppress(WebSocketDisconnect):
        await websocket.send_denial_response(response)
    raise Turned
