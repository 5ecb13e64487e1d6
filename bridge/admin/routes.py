"""`/admin/api/…`: what an operator's tools ask and order. Every route wants the bearer key of an administrator.

Only the routes. Optimistic: who says a version is refused with 409 where the tenant has moved on.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from bridge.admin.bodies import NewStage, StepBack, body_of, described
from bridge.admin.ids import Ids, Maps
from bridge.admin.pace import party_of
from bridge.admin.refusals import REFUSED, said_as_refusals
from bridge.admin.service import Desk
from bridge.cutover.changes import Wanted
from bridge.handshake.authentication import Administrator
from bridge.records.report_rows import client_words
from bridge.records.reports import MOST_CLIENTS
from bridge.tenants.tenant import Tenant

DryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(desk.administrator)]  # noqa: N806 - a type
    _add_orders(routes, desk, Admin)
    _add_states(routes, desk, Admin)
    _add_reports(routes, desk, Admin)
    return routes


def _add_orders(routes: APIRouter, desk: Desk, Admin: Any) -> None:  # noqa: N803 - a type
    orders = desk.orders

    new_stage = described(NewStage, is_required=True)

    @routes.put(
        "/tenants/{tenant}/stage",
        summary="Change stage, share or routing",
        response_model=dict[str, Any],
        openapi_extra=new_stage,
    )
    async def change(tenant: str, request: Request, admin: Admin, dry_run: DryRun = False) -> Any:
        order = NewStage.in_body(await body_of(request)).wanted()
        if dry_run:
            return desk.report(admin, tenant, lambda _: _predicted(desk, admin, tenant, order))
        return await desk.carry_out(admin, tenant, order.version, lambda known: orders.change(known, admin.name, order))

    step_back = described(StepBack, is_required=False)

    @routes.post(
        "/tenants/{tenant}/rollback",
        summary="Take the last step back",
        response_model=dict[str, Any],
        openapi_extra=step_back,
    )
    async def roll_back(tenant: str, request: Request, admin: Admin, dry_run: DryRun = False) -> Any:
        back = StepBack.in_body(await body_of(request) or b"{}")
        if dry_run:
            return desk.report(admin, tenant, lambda _: _predicted_back(desk, admin, tenant))
        return await desk.carry_out(
            admin, tenant, back.version, lambda known: orders.roll_back(known, admin.name, back.why, back.version)
        )

    whole_map, maps = described(Ids, is_required=True), Maps()

    @routes.put("/tenants/{tenant}/ids", summary="Replace the id map", openapi_extra=whole_map)
    async def ids(tenant: str, request: Request, admin: Admin) -> dict[str, Any]:
        known = desk.ordered(admin, tenant)
        async with maps.taken(request, party_of(admin, known.name)) as taken:
            return await desk.replace_ids(known, taken)


async def _predicted(desk: Desk, admin: Administrator, tenant: str, order: Wanted) -> dict[str, Any]:
    known = await desk.fresh(admin, tenant)
    return await desk.reports.predict(known, order.standing(known))


async def _predicted_back(desk: Desk, admin: Administrator, tenant: str) -> dict[str, Any]:
    known = await desk.fresh(admin, tenant)
    with said_as_refusals():
        return await desk.reports.predict(known, (await desk.orders.last_step(known)).before)


def _add_states(routes: APIRouter, desk: Desk, Admin: Any) -> None:  # noqa: N803 - a type
    @routes.get("/tenants", summary="Every tenant")
    async def tenants(admin: Admin) -> list[dict[str, Any]]:
        return await desk.states(admin)

    @routes.get("/tenants/{tenant}", summary="One tenant")
    async def tenant_state(tenant: str, admin: Admin) -> dict[str, Any]:
        return await desk.state(admin, tenant)

    @routes.get("/tenants/{tenant}/changes", summary="The record, newest first", response_model=list[dict[str, Any]])
    async def changes(tenant: str, admin: Admin) -> Response:
        async def said(known: Tenant) -> list[dict[str, Any]]:
            return [one.as_json() for one in await desk.orders.changes(known)]

        return desk.report(admin, tenant, said)


def _add_reports(routes: APIRouter, desk: Desk, Admin: Any) -> None:  # noqa: N803 - a type
    reports = desk.reports

    @routes.get("/tenants/{tenant}/census", summary="Who is still on V2", response_model=dict[str, Any])
    async def census(
        tenant: str,
        admin: Admin,
        protocol: Annotated[Literal["v2", "v3", "socketio", "all"] | None, Query()] = None,
        most: Annotated[int, Query(ge=1, le=100_000)] = MOST_CLIENTS,
    ) -> Response:
        return desk.report(admin, tenant, lambda known: reports.census(known, protocol, most, client_words))

    @routes.get(
        "/tenants/{tenant}/ledger",
        summary="What conversion keeps, stashes and leaves out",
        response_model=dict[str, Any],
    )
    async def ledger(tenant: str, admin: Admin) -> Response:
        return desk.report(admin, tenant, reports.ledger)

    @routes.get(
        "/tenants/{tenant}/history", summary="Connections and messages over time", response_model=dict[str, Any]
    )
    async def history(tenant: str, admin: Admin) -> Response:
        return desk.report(admin, tenant, reports.history)

    @routes.get("/tenants/{tenant}/guards", summary="What the guards say now", response_model=list[dict[str, Any]])
    async def guards(tenant: str, admin: Admin) -> Response:
        async def said(known: Tenant) -> list[dict[str, Any]]:
            return [verdict.as_json() for verdict in await reports.verdicts(known)]

        return desk.report(admin, tenant, said)
