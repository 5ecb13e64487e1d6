"""`GET /v3/events`: a backend hears what is said, as server-sent events, without being a client.

Decided here:

- `groups` and `clients` may be named together, at most `MOST_NAMES` in all. Each stream has its places and its share of
  a process, and this bounds what one can cost.
- Without names it hears what is said to everybody in its tenant: the broadcasts of the tenant and of the platform. No
  channel has everything that is said in a tenant. To keep one would double the work of each message, for everybody.
- Who must be a certain client (`client_claim`) hears that client alone: to listen unseen to others, and to groups whose
  members would not see it among them, is for who may be anybody.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bridge.api.authority import OF_AUTHORITY, Authority, HttpRefusal, documented
from bridge.broker.addresses import Addresses
from bridge.handshake.authentication import Identity
from bridge.handshake.event_stream import EventStream
from bridge.handshake.event_streams import Backend, EventStreams
from bridge.handshake.request import one_since
from bridge.handshake.subscriptions import Unavailable
from bridge.messaging.routing import backend_listens_on
from bridge.sockets.ports import abort_of, nothing, when_gone
from bridge.sockets.server_sent_events import DOCUMENTED, HEADERS, MEDIA_TYPE
from bridge.tenants.tenant import Tenant

MOST_NAMES: Final = 64
_RESPONSES: Final = {200: DOCUMENTED, **documented(*OF_AUTHORITY, "invalid_id", "overloaded", "going_away", "bus_down")}
_NO_NAME: Final = "Name groups and clients by Vision IDs, separated by commas: groups=a,b or clients=x,y."
_NOT_ITS_OWN: Final = "This token's holder hears one client alone: name it in clients=."
_TOO_MANY: Final = f"At most {MOST_NAMES} groups and clients are heard on one stream: open another one for the others."

Names = tuple[str, ...]


class _Answer(StreamingResponse):
    """The response that goes on for as long as its stream does."""

    def __init__(self, streams: EventStreams, backend: Backend) -> None:
        super().__init__(iter(()), headers=HEADERS, media_type=MEDIA_TYPE)
        self._streams = streams
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = await self._open(scope)
        when_gone(scope, stream.lost)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            stream.begin()
            await stream.outbox.run(send)
        finally:
            when_gone(scope, nothing)
            self._streams.close(stream)

    async def _open(self, scope: Scope) -> EventStream:
        try:
            return await self._streams.open(self._backend, abort_of(scope))
        except Unavailable as unavailable:
            raise HttpRefusal(unavailable.code, sentence=unavailable.sentence) from None


class Asked(NamedTuple):
    """What is asked for, and the last event that was heard, if any."""

    groups: Names
    clients: Names
    since: str


async def asked(
    request: Request,
    groups: Annotated[list[str] | None, Query(description="Groups to hear; `a,b` for several.")] = None,
    clients: Annotated[list[str] | None, Query(description="Clients: hear what is said to each alone.")] = None,
    last_event_id: Annotated[str, Header(description="Go on after this event.")] = "",
) -> Asked:
    """What a request asks for."""
    return Asked(_names(groups), _names(clients), one_since([last_event_id, *request.headers.getlist("last-event-id")]))


def router(
    authority: Authority, streams: EventStreams, addresses: Addresses, address_of: Callable[[Scope], str]
) -> APIRouter:
    """The route. `address_of` returns the address that a request is counted for."""
    routes = APIRouter()
    Authorised = Annotated[tuple[Identity, Tenant], Depends(authority)]  # noqa: N806 - a type

    @routes.get("/v3/events", summary="Hear what is said", response_class=StreamingResponse, responses=_RESPONSES)
    async def hear(request: Request, authorised: Authorised, asked: Annotated[Asked, Depends(asked)]) -> Response:
        """Server-sent events: each is a `WS_Message_V3`, with an `id` to come back with."""
        identity, tenant = authorised
        _check(identity, tenant, asked)
        channels_in = partial(_channels, asked, addresses)
        channels = channels_in(tenant) or []
        return _Answer(
            streams, Backend(identity, address_of(request.scope), tenant, channels, channels_in, asked.since)
        )

    return routes


def _names(given: Sequence[str] | None) -> Names:
    return tuple(name for names in given or () for name in names.split(","))


def _check(identity: Identity, tenant: Tenant, asked: Asked) -> None:
    """Raise `HttpRefusal` if these are no names, too many, or not for this identity to hear."""
    if len(asked.groups) + len(asked.clients) > MOST_NAMES:
        raise HttpRefusal("invalid_id", sentence=_TOO_MANY)
    given = {"groups": asked.groups, "clients": asked.clients}
    wrong = [field for field, names in given.items() if None in map(tenant.resolve, names)]
    if wrong:
        problems = [{"field": field, "problem": "is no Vision ID"} for field in wrong]
        raise HttpRefusal("invalid_id", problems, sentence=_NO_NAME)
    if identity.must_be_subject and not identity.admin and not _are_its_own(identity, tenant, asked):
        raise HttpRefusal("forbidden", sentence=_NOT_ITS_OWN)


def _are_its_own(identity: Identity, tenant: Tenant, asked: Asked) -> bool:
    """Whether only clients are named that the identity may be."""
    names = [(client, *tenant.names_of(tenant.resolve(client) or client)) for client in asked.clients]
    return bool(names) and not asked.groups and all(identity.may_be(*each) for each in names)


def _channels(asked: Asked, addresses: Addresses, tenant: Tenant) -> list[bytes] | None:
    """The channels that these names mean in this tenant; `None` if one means nothing there."""
    groups = [tenant.resolve(name) for name in asked.groups]
    clients = [tenant.resolve(name) for name in asked.clients]
    if None in (*groups, *clients):
        return None
    return backend_listens_on(tenant.name, [*filter(None, groups)], [*filter(None, clients)], addresses)
