"""Checks before authentication: the web origin, overload, and whether Redis is up. It never looks at credentials.

A handshake that fails here is answered with an HTTP status and never accepted. A web page then sees only that the
handshake failed. That is enough here, since a correct client causes none of these refusals.
"""

from collections.abc import Callable, Collection
from typing import Final, cast

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from bridge.broker.bus import Bus
from bridge.broker.subscriber import Subscriber
from bridge.config.hosts import host_in, is_loopback
from bridge.config.settings import Settings
from bridge.handshake.request import HandshakeRequest, request_in
from bridge.handshake.subscriptions import Unavailable
from bridge.handshake.tenant_limits import TenantLimits
from bridge.messaging.connections import Connections
from bridge.sockets.service_unavailable import service_unavailable

_ORIGIN_SENTENCE: Final = "This web origin may not connect; add it to allowed_origins."
_BUS_DOWN_SENTENCE: Final = "Redis cannot be reached; connect again in a moment."


class Denied(Exception):
    """A handshake is refused with an HTTP `response` and never accepted. `answer_in_http` sends the response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response: Final = response


class OriginCheck:
    """Decides which web origins may connect. A request without an Origin header does not come from a browser."""

    def __init__(self, settings: Settings, has_keys: Callable[[], bool] = lambda: False) -> None:
        """`has_keys`: whether everyone is asked for a key, though the settings name none."""
        self._has_keys = has_keys
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._allowed = frozenset(settings.allowed_origins)
        self._is_open_by_file = settings.is_open

    @property
    def _only_loopback(self) -> bool:
        return not self._allowed and self._is_open_by_file and not self._has_keys()

    def passes(self, headers: Headers) -> bool:
        origins = headers.getlist("origin")
        if not origins:
            return True
        if self._allowed:
            return all(origin in self._allowed for origin in origins)
        return not self._only_loopback or all(_is_loopback(origin) for origin in origins)

    def passes_anonymously(self, headers: Headers, hosts: Collection[str]) -> bool:
        """Whether a page may connect without credentials.

        Its origin must be listed in `allowed_origins`. Where none are listed, its host must be the Host that it
        connects to, or one of `hosts` (the tenant's own host names). Ports are not compared: a proxy may drop them.
        """
        if self._allowed or self._only_loopback:
            return self.passes(headers)
        own = {host_in(headers.get("host", "")), *hosts}
        return all(_host_of(origin) in own for origin in headers.getlist("origin"))


def _is_loopback(origin: str) -> bool:
    host = _host_of(origin)
    return host is not None and is_loopback(host)


def _host_of(origin: str) -> str | None:
    """The host of a web origin, written as in a Host header; `None` when this is no HTTP or HTTPS origin."""
    scheme, _, authority = origin.partition("://")
    return host_in(authority) if scheme.lower() in ("http", "https") and authority else None


class Preflight:
    """Checks whether a handshake may proceed to authentication."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        subscriber: Subscriber,
        connections: Connections,
        limits: TenantLimits,
        knows_keys: Callable[[], bool] = lambda: True,
        has_keys: Callable[[], bool] = lambda: False,
    ) -> None:
        """`knows_keys`: whether the keys that live in Redis were read. Nobody is refused for a key before that."""
        self.origins: Final = OriginCheck(settings, has_keys)
        self._trusted_proxies = settings.trusted_proxies
        self._bus = bus
        self._subscriber = subscriber
        self._connections = connections
        self._limits = limits
        self._knows_keys = knows_keys

    @property
    def serves_now(self) -> bool:
        """Whether both connections to Redis are up, the one that publishes and the one that subscribes."""
        return self._bus.is_up and self._subscriber.is_up and self._knows_keys()

    def check(self, websocket: WebSocket) -> HandshakeRequest:
        """The request of a handshake that passes. Raises `Denied` when it may not connect or cannot be served now."""
        refusal = self.refusal(websocket.headers)
        if refusal is not None:
            raise Denied(refusal)
        return request_in(websocket.scope, self._trusted_proxies)

    def check_again(self) -> None:
        """Check whether somebody who is let in can be served now. Raises `Unavailable`."""
        if self._connections.is_closing:
            raise Unavailable("going_away", "This process stops; connect again in a moment.")
        if not self.serves_now:
            raise Unavailable("bus_down", _BUS_DOWN_SENTENCE)

    def refusal(self, headers: Headers) -> Response | None:
        """The HTTP response for a client that may not connect or cannot be served now; else `None`."""
        if not self.origins.passes(headers):
            return foreign_origin()
        if self._connections.is_closing or self._limits.is_full():
            return service_unavailable("overloaded", "This process serves as many connections as it can.")
        if not self.serves_now:
            return service_unavailable("bus_down", _BUS_DOWN_SENTENCE)
        return None


def foreign_origin() -> Response:
    """The HTTP response 403 for a page whose origin may not connect."""
    return JSONResponse({"code": "forbidden_origin", "msg": _ORIGIN_SENTENCE}, 403)


async def answer_in_http(websocket: WebSocket, denied: Exception) -> None:
    """Exception handler of the application for `Denied`: send its response in place of the 101."""
    await websocket.send_denial_response(cast(Denied, denied).response)
