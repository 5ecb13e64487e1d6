"""`/healthz`, `/readyz`, `/metrics`, `/v3/schema`: routes for operators and their programs. Nothing here is secret."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.subscriber import Subscriber
from bridge.messaging.connections import Connections
from v3.schema import json_schema


class Readiness(BaseModel):
    """Whether the process can serve, and each reason why it cannot."""

    ready: bool
    trouble: list[str]


KEYS_ARE_MISSING: Final = "the keys of jwks_url cannot be fetched: tokens by keys that are not known wait"


def router(
    bus: Bus,
    subscriber: Subscriber,
    leases: Leases,
    connections: Connections,
    exposition: Callable[[], Awaitable[bytes]],
    configuration_hash: Callable[[], str],
    keys_are_missing: Callable[[], bool],
) -> APIRouter:
    """The routes. `exposition` returns the metrics in Prometheus' text format.

    While `keys_are_missing` the process stays ready, since whoever needs no token is served: the trouble is named.
    """
    routes = APIRouter()

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", summary="Whether the process lives")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @routes.head("/readyz", include_in_schema=False)
    @routes.get(
        "/readyz",
        summary="Whether the process can serve",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "It cannot."}},
    )
    async def readiness() -> JSONResponse:
        troubles = _troubles(bus, subscriber, leases, connections)
        trouble = list(dict.fromkeys(sentence for sentence, is_so in troubles if is_so))
        named = [*trouble, *([KEYS_ARE_MISSING] if keys_are_missing() else [])]
        said = {"ready": not trouble, "trouble": named, "configuration": configuration_hash()}
        return JSONResponse(said, 503 if trouble else 200)

    @routes.head("/metrics", include_in_schema=False)
    @routes.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        return Response(await exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.head("/v3/schema", include_in_schema=False)
    @routes.get("/v3/schema", summary="JSON Schema of WS_Message_V3")
    async def schema() -> dict[str, object]:
        return json_schema()

    return routes


def _troubles(
    bus: Bus, subscriber: Subscriber, leases: Leases, connections: Connections
) -> Iterable[tuple[str, object]]:
    """Each reason for which the process may not be able to serve, and whether it is so."""
    yield "Redis does not take what is said", not bus.is_up
    yield "not all channels are heard", not subscriber.is_up
    for said_by_redis in (bus.refusal, subscriber.trouble, leases.trouble):
        yield said_by_redis or "", said_by_redis
    yield "the process is stopping", connections.is_closing
