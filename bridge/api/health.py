"""`/healthz`, `/readyz`, `/metrics`, `/v3/schema`: routes for operators and their programs. Nothing here is secret."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.subscriber import Subscriber
from bridge.continuity.path_canary import PathCanary
from bridge.messaging.connections import Connections
from v3.schema import json_schema


class Readiness(BaseModel):
    """Whether the process can serve, and each reason why it cannot."""

    ready: bool
    trouble: list[str]
    configuration: str
    """The hash of the configuration that the process goes by."""


KEYS_ARE_MISSING: Final = "the keys of jwks_url cannot be fetched: tokens by keys that are not known wait"


class Vitals(NamedTuple):
    """What tells whether the process can serve."""

    bus: Bus
    subscriber: Subscriber
    leases: Leases
    connections: Connections
    canary: PathCanary
    configuration_hash: Callable[[], str]
    keys_are_missing: Callable[[], bool]

    def readiness(self) -> Readiness:
        """Whether it can. While keys are missing it can: whoever needs no token is served. The trouble is named."""
        trouble = list(dict.fromkeys(sentence for sentence, is_so in self._troubles() if is_so))
        named = [*trouble, KEYS_ARE_MISSING] if self.keys_are_missing() else trouble
        return Readiness(ready=not trouble, trouble=named, configuration=self.configuration_hash())

    def _troubles(self) -> Iterable[tuple[str, object]]:
        """Each reason for which the process may not be able to serve, and whether it is so."""
        yield "Redis does not answer", not self.bus.is_linked
        yield "Redis does not take what is said", not self.bus.is_up
        yield "not all channels are heard", not self.subscriber.is_up
        yield "what this process says is not heard by it", self.canary.is_deaf
        for said_by_redis in (self.bus.refusal, self.subscriber.trouble, self.leases.trouble):
            yield said_by_redis or "", said_by_redis
        yield "the process is stopping", self.connections.is_closing


def router(vitals: Vitals, exposition: Callable[[], Awaitable[bytes]]) -> APIRouter:
    """The routes. `exposition` returns the metrics in Prometheus' text format."""
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
        said = vitals.readiness()
        return JSONResponse(said.model_dump(), 200 if said.ready else 503)

    @routes.head("/metrics", include_in_schema=False)
    @routes.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        return Response(await exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.head("/v3/schema", include_in_schema=False)
    @routes.get("/v3/schema", summary="JSON Schema of WS_Message_V3")
    async def schema() -> dict[str, object]:
        return json_schema()

    return routes
