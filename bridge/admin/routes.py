"""Routes of `/admin/api/…` for the tools of operators. Every route requires the bearer key of an administrator.

Only routes, and not those that move a tenant from V2 to V3: these are in `v2.py`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from bridge.admin.refusals import REFUSED
from bridge.admin.service import TenantService
from bridge.handshake.authentication import Administrator
from bridge.records.refused_clients import NO_TENANT
from bridge.records.report_rows import client_words
from bridge.records.reports import MOST_CLIENTS
from bridge.records.whereabouts import ListName
from bridge.tenants.tenant import Tenant

JsonObject = dict[str, Any]
SeenBy = Annotated[
    Literal["v2", "v3", "socketio", "all"] | None, Query(description="Everyone seen by it, instead of a list.")
]


def router(service: TenantService) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type
    _add_states(routes, service, Admin)
    _add_census(routes, service, Admin)
    _add_turned_away(routes, service, Admin)
    _add_reports(routes, service, Admin)
    return routes


def _add_states(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    @routes.get("/tenants", summary="Every tenant")
    async def tenants(admin: Admin) -> list[JsonObject]:
        return await service.states(admin)

    @routes.get("/tenants/{tenant}", summary="One tenant")
    async def tenant_state(tenant: str, admin: Admin) -> JsonObject:
        return await service.state(admin, tenant)


def _add_census(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    reports = service.reports

    @routes.get(
        "/tenants/{tenant}/census",
        summary="Who is still on V2, who has arrived on V3, who has not, and who is turned away",
        response_model=JsonObject,
    )
    async def census(
        tenant: str,
        admin: Admin,
        name: Annotated[ListName, Query(alias="list")] = "still",
        protocol: SeenBy = None,
        most: Annotated[int, Query(ge=1, le=100_000)] = MOST_CLIENTS,
    ) -> Response:
        if protocol is not None:
            return service.report(admin, tenant, lambda known: reports.census(known, protocol, most, client_words))
        return service.report(admin, tenant, lambda known: reports.whereabouts(known, name, most, in_words=True))


def _add_turned_away(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    reports, nobody = service.reports, Tenant(NO_TENANT)

    @routes.get(
        "/turned-away",
        summary="Who is refused before its tenant is known; for a key of all tenants",
        response_model=JsonObject,
    )
    async def turned_away(admin: Admin) -> Response:
        return service.platform_report(admin, lambda: reports.whereabouts(nobody, "turned_away", in_words=True))


def _add_reports(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    add = partial(add_report, routes, service, Admin)
    add("ledger", "What conversion keeps, stashes and leaves out", service.reports.ledger)
    add("history", "Connections and messages over time", service.reports.history)


def add_report(
    routes: APIRouter,
    service: TenantService,
    Admin: Any,  # noqa: N803 - a type
    name: str,
    summary: str,
    make: Callable[[Tenant], Awaitable[object]],
    response_model: object = JsonObject,
) -> None:
    """Add a route that answers with a report about one tenant, made when its turn comes."""

    @routes.get(f"/tenants/{{tenant}}/{name}", name=name, summary=summary, response_model=response_model)
    async def report(tenant: str, admin: Admin) -> Response:
        return service.report(admin, tenant, make)
