"""`/admin/api/…`: what an operator's tools ask and change. Every route wants the bearer key of an administrator.

Only the routes. Optimistic: who says a version is refused with 409 where the tenant has moved on.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from bridge.admin.bodies import NewStage, StepBack, body_of, described
from bridge.admin.ids import Ids, Maps
from bridge.admin.pace import party_of
from bridge.admin.refusals import REFUSED, said_as_refusals
from bridge.admin.service import TenantService
from bridge.handshake.authentication import Administrator
from bridge.records.report_rows import client_words
from bridge.records.reports import MOST_CLIENTS
from bridge.tenants.change_log import Standing
from bridge.tenants.tenant import Tenant

JsonObject = dict[str, Any]
IsDryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]


def router(service: TenantService) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type
    _add_stage(routes, service, Admin)
    _add_rollback(routes, service, Admin)
    _add_ids(routes, service, Admin)
    _add_states(routes, service, Admin)
    _add_reports(routes, service, Admin)
    _add_cutover_reports(routes, service, Admin)
    return routes


def _add_stage(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    changes = service.cutover.changes

    @routes.put(
        "/tenants/{tenant}/stage",
        summary="Change stage, share or routing",
        response_model=JsonObject,
        openapi_extra=described(NewStage, is_required=True),
    )
    async def change(tenant: str, request: Request, admin: Admin, dry_run: IsDryRun = False) -> JsonObject | Response:
        wanted = NewStage.in_body(await body_of(request)).wanted()

        async def after(known: Tenant) -> Standing:
            return wanted.standing(known)

        if dry_run:
            return service.report(admin, tenant, lambda _: _predicted(service, admin, tenant, after))
        return await service.carry_out(
            admin, tenant, wanted.version, lambda known: changes.make(known, admin.name, wanted)
        )


def _add_rollback(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    changes = service.cutover.changes

    @routes.post(
        "/tenants/{tenant}/rollback",
        summary="Take the last step back",
        response_model=JsonObject,
        openapi_extra=described(StepBack, is_required=False),
    )
    async def roll_back(
        tenant: str, request: Request, admin: Admin, dry_run: IsDryRun = False
    ) -> JsonObject | Response:
        back = StepBack.in_body(await body_of(request) or b"{}")

        async def after(known: Tenant) -> Standing:
            return (await changes.last(known)).before

        if dry_run:
            return service.report(admin, tenant, lambda _: _predicted(service, admin, tenant, after))
        return await service.carry_out(
            admin, tenant, back.version, lambda known: changes.roll_back(known, admin.name, back.why, back.version)
        )


async def _predicted(
    service: TenantService, admin: Administrator, tenant: str, after: Callable[[Tenant], Awaitable[Standing]]
) -> JsonObject:
    """What a change would do to the tenant as it is now, whichever process changed it last."""
    known = await service.fresh(admin, tenant)
    with said_as_refusals():
        return await service.cutover.dry_run.predict(known, await after(known))


def _add_ids(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    maps = Maps()

    @routes.put("/tenants/{tenant}/ids", summary="Replace the id map", openapi_extra=described(Ids, is_required=True))
    async def ids(tenant: str, request: Request, admin: Admin) -> JsonObject:
        known = service.ordered(admin, tenant)
        async with maps.taken(request, party_of(admin, known.name)) as taken:
            return await service.replace_ids(known, taken)


def _add_states(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    @routes.get("/tenants", summary="Every tenant")
    async def tenants(admin: Admin) -> list[JsonObject]:
        return await service.states(admin)

    @routes.get("/tenants/{tenant}", summary="One tenant")
    async def tenant_state(tenant: str, admin: Admin) -> JsonObject:
        return await service.state(admin, tenant)


def _add_reports(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    reports = service.reports

    @routes.get("/tenants/{tenant}/census", summary="Who is still on V2", response_model=JsonObject)
    async def census(
        tenant: str,
        admin: Admin,
        protocol: Annotated[Literal["v2", "v3", "socketio", "all"] | None, Query()] = None,
        most: Annotated[int, Query(ge=1, le=100_000)] = MOST_CLIENTS,
    ) -> Response:
        return service.report(admin, tenant, lambda known: reports.census(known, protocol, most, client_words))

    add = partial(_add_report, routes, service, Admin)
    add("ledger", "What conversion keeps, stashes and leaves out", reports.ledger)
    add("history", "Connections and messages over time", reports.history)


def _add_cutover_reports(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    cutover = service.cutover

    async def changes(known: Tenant) -> list[JsonObject]:
        return [change.as_json() for change in await cutover.changes.newest(known)]

    async def guards(known: Tenant) -> list[JsonObject]:
        return [verdict.as_json() for verdict in await cutover.guards.verdicts(known)]

    add = partial(_add_report, routes, service, Admin, response_model=list[JsonObject])
    add("changes", "The record, newest first", changes)
    add("guards", "What the guards say now", guards)


def _add_report(
    routes: APIRouter,
    service: TenantService,
    Admin: Any,  # noqa: N803 - a type
    name: str,
    summary: str,
    make: Callable[[Tenant], Awaitable[object]],
    response_model: object = JsonObject,
) -> None:
    """A route on which a report is made about one tenant, when its turn has come."""

    @routes.get(f"/tenants/{{tenant}}/{name}", name=name, summary=summary, response_model=response_model)
    async def report(tenant: str, admin: Admin) -> Response:
        return service.report(admin, tenant, make)
