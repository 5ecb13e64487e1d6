"""`POST /v3/messages`: a backend sends a message without a WebSocket. Its `from_id` and `group_id` are trusted.

Decided here: `echo` and heartbeats need a connection and are refused. If a client claim is configured, `from_id` must
be the value of that claim, unless the key is an admin key.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from bridge.api.authority import OF_AUTHORITY, Authority, HttpRefusal, documented
from bridge.budget.rate import Bucket, Rate
from bridge.budget.shared_rate import SharedRate
from bridge.config.settings import Settings
from bridge.handshake.authentication import Identity
from bridge.messaging.publisher import Publisher
from bridge.sockets.request_body import TooLong, read_body
from bridge.tenants.tenant import Tenant
from v3.messages import DEFAULT_GROUP, SERVER_ID, Content, Unreadable, content_of, echo_of, timestamp
from v3.ports import Clock, Guest
from v3.refusals import unheard
from v3.said import check_event, read_said
from v3.schema import said_by_backend

MAX_METERS: Final = 10_000
_OF_A_MESSAGE: Final = (
    "invalid_json",
    "invalid_message",
    "not_allowed",
    "not_connected",
    "message_too_big",
    "bus_down",
)


class Accepted(BaseModel):
    """Redis has taken the message."""

    ok: Literal[True]
    sent_at: str


def router(
    authority: Authority, publisher: Publisher, settings: Callable[[], Settings], rates: SharedRate, clock: Clock
) -> APIRouter:
    """The route. `rates`: those of the tenants' messages."""
    routes = APIRouter()
    meters = Meters(settings, rates)
    Authorised = Annotated[tuple[Identity, Tenant], Depends(authority)]  # noqa: N806 - a type

    @routes.post(
        "/v3/messages",
        status_code=202,
        response_model=Accepted,
        summary="Say a message",
        responses=documented(*OF_AUTHORITY, *_OF_A_MESSAGE),
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": said_by_backend()}}}
        },
    )
    async def say(request: Request, authorised: Authorised) -> JSONResponse:
        """The body is a `WS_Message_V3`; its sender and group are believed. 202 means that Redis has taken it."""
        identity, tenant = authorised
        if not meters.spend(identity):
            raise HttpRefusal("rate_limited")
        said = _read(await _body(request, settings().max_message_bytes))
        guest = _guest(said, identity, tenant)
        content = _content(said, guest, tenant)
        sent_at = timestamp(clock.microseconds())
        code = await _said(publisher, guest, content, sent_at)
        if code is not None:
            raise HttpRefusal(code, refused=echo_of(content))
        return JSONResponse({"ok": True, "sent_at": sent_at}, 202)

    return routes


class Meters:
    """One rate for each API key. Bounded by `MAX_METERS`: beyond it, the least recently used one is forgotten."""

    def __init__(self, settings: Callable[[], Settings], rates: SharedRate) -> None:
        self._settings_now = settings
        self._settings = settings()
        self._rates = rates
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def spend(self, identity: Identity) -> bool:
        """Count one message, and return whether it is within the rates of its key, its tenant, and the process."""
        now_seconds = asyncio.get_running_loop().time()
        is_within = self._bucket(identity.key_name, now_seconds).spend(now_seconds) == "within"
        return is_within and self._rates.of(identity.tenant).spend(now_seconds)

    def _bucket(self, key_name: str, now_seconds: float) -> Bucket:
        if self._settings is not self._settings_now():  # the configuration was read anew
            self._settings = self._settings_now()
            self._buckets.clear()
        bucket = self._buckets.get(key_name)
        if bucket is None:
            rate = Rate(self._settings.messages_per_second, self._settings.burst)
            bucket = self._buckets[key_name] = Bucket(rate, now_seconds)
        self._buckets.move_to_end(key_name)
        if len(self._buckets) > MAX_METERS:
            self._buckets.popitem(last=False)
        return bucket


async def _body(request: Request, most_bytes: int) -> str:
    """The body as text. A client that disconnects before its end is answered too, though nobody reads the answer."""
    try:
        return (await read_body(request, most_bytes)).decode()
    except TooLong:
        raise HttpRefusal("message_too_big") from None
    except (UnicodeDecodeError, ClientDisconnect):
        raise HttpRefusal("invalid_json") from None


def _read(body: str) -> dict[str, object]:
    try:
        said = read_said(body)
        check_event(said)
    except Unreadable as unreadable:
        raise HttpRefusal(unreadable.code, unreadable.problems, unreadable.refused) from None
    return said


def _guest(said: dict[str, object], identity: Identity, tenant: Tenant) -> Guest:
    group = _name(said, "group_id", DEFAULT_GROUP, tenant)
    client = SERVER_ID if said.get("from_id") in (None, SERVER_ID) else _name(said, "from_id", SERVER_ID, tenant)
    if not (identity.admin or identity.may_be(said.get("from_id"), *tenant.names_of(client))):
        raise HttpRefusal("forbidden")
    return Guest(tenant.name, group, client, identity.grant)


def _name(said: dict[str, Any], field: str, default: str, tenant: Tenant) -> str:
    """The current name of the client or group in `field`. An id map may rename the default, too."""
    value = default if said.get(field) is None else said[field]
    name = tenant.resolve(value) if isinstance(value, str) else None
    if name is None:
        raise HttpRefusal("invalid_message", [{"field": field, "problem": "is no Vision ID"}])
    return name


def _content(said: dict[str, Any], guest: Guest, tenant: Tenant) -> Content:
    content = content_of(said)
    if content["target"] == "echo" or content["msg_type"] == "heartbeat":
        field = "target" if content["target"] == "echo" else "msg_type"
        raise HttpRefusal("invalid_message", [{"field": field, "problem": "belongs to a connection"}], echo_of(content))
    if content["target"] == "broadcast" and guest.grant == "none":
        raise HttpRefusal("not_allowed", refused=echo_of(content))
    if "to_id" in content:
        to_id = tenant.resolve(content["to_id"])
        if to_id is None:
            raise HttpRefusal("invalid_message", [{"field": "to_id", "problem": "is no Vision ID"}], echo_of(content))
        content["to_id"] = to_id
    return content


async def _said(publisher: Publisher, guest: Guest, content: Content, sent_at: str) -> str | None:
    """Publish the message and wait for Redis. The refusal's code, or `None` if Redis has taken the message."""
    answered: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    publisher.voice(guest).say(content, sent_at, partial(_settle, answered))
    return unheard(content, await answered)


def _settle(answered: "asyncio.Future[int | None]", heard_by: int | None) -> None:
    if not answered.done():
        answered.set_result(heard_by)
