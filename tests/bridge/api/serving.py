"""One part of the HTTP surface without a process around it: its routes, and whoever is taken to ask them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, FastAPI, Request

from bridge.api.authority import Authority, Credentials
from bridge.api.errors import handle_errors
from bridge.handshake.authentication import Identity
from bridge.tenants.tenant import Tenant


class Known(Authority):
    """Takes everyone for the same, whatever they show; a test may change who that is."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.identity = Identity(tenant.name, "tenant", key_name="web")

    async def __call__(self, request: Request, _credentials: Credentials = None) -> tuple[Identity, Tenant]:
        return self.identity, self.tenant


@asynccontextmanager
async def asking(routes: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of these routes, in an application that answers refusals as ours does."""
    app = FastAPI()
    app.include_router(routes)
    handle_errors(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge.test") as client:
        yield client
