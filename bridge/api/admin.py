"""`/admin/api/…`: what an operator's tools ask and order. Every route wants the bearer key of an administrator.

It carries nothing out and judges nothing: orders are `orders.py`'s, answers are `reports.py`'s. Optimistic: who says a
version is refused with 409 where the tenant has moved on.
"""

import json
from collections.abc import Awaitable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import JSONResponse

from bridge.admission import Administrator, Admission, NotAdmitted
from bridge.broker.addresses import Addresses
from bridge.broker.changes import Stale
from bridge.broker.headcount import Headcounts, read_headcount
from bridge.broker.id_map import replace_id_map
from bridge.broker.memory import lost_at
from bridge.broker.tenant_table import TenantTable
from bridge.orders import GuardFailed, NothingToRollBack, Orders, ReasonMissing, Wanted
from bridge.reports import MOST_CLIENTS, PROTOCOLS, Reports
from bridge.tenants import Routing, Stage, Tenant
from compat.identity import check_id_map

MOST_IDS: Final = 1_000_000


class AdminRefusal(Exception):
    """A request to the admin API is refused; `sentence` says what to do."""

    def __init__(self, status: int, code: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status: Final = status
        self.body: Final = {"code": code, "msg": sentence, **more}


def answer(refusal: AdminRefusal) -> JSONResponse:
    """The refusal as a response."""
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return JSONResponse(refusal.body, refusal.status, headers)


class RefusedOrder(BaseModel):
    """What a refusal looks like: a code for programs, a sentence for people; more where that is the matter."""

    code: str
    msg: str
    version: int | None = None
    guards: list[dict[str, Any]] | None = None


REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": RefusedOrder, "description": "`invalid_ids`, `reason_missing`"},
    401: {"model": RefusedOrder, "description": "`unauthenticated`"},
    403: {"model": RefusedOrder, "description": "`forbidden`: not an admin key"},
    404: {"model": RefusedOrder, "description": "`unknown_tenant`"},
    409: {"model": RefusedOrder, "description": "`stale`, `guard_failed`, `nothing_to_roll_back`"},
    503: {"model": RefusedOrder, "description": "`bus_down`"},
}


class NewStage(BaseModel):
    """What a tenant is to become; what is left out stays. `version`: the one that the author saw.

    `force`: in spite of guards that do not hold; `why` is then needed.
    """

    model_config = ConfigDict(extra="forbid")

    stage: Stage | None = None
    share: int | None = Field(None, ge=0, le=100)
    v2_routing: Routing | None = None
    why: str = Field("", max_length=1_000)
    version: int | None = None
    force: bool = False

    def wanted(self) -> Wanted:
        """As the orders know it."""
        return Wanted(**self.model_dump())


class StepBack(BaseModel):
    """Why a step is taken back. `version`: the one that the author saw."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=1_000)
    version: int | None = None


class Ids(BaseModel):
    """A whole id map: V2 id -> Vision ID."""

    model_config = ConfigDict(extra="forbid")

    ids: dict[str, str] = Field(max_length=MOST_IDS)


class Desk:
    """What the routes share: who may ask, and the orders and reports of this deployment."""

    def __init__(
        self,
        admission: Admission,
        table: TenantTable,
        redis: Redis,
        addresses: Addresses,
        orders: Orders,
        reports: Reports,
    ) -> None:
        self._admission = admission
        self._table = table
        self._redis = redis
        self._addresses = addresses
        self.orders: Final = orders
        self.reports: Final = reports

    def administrator(self, request: Request) -> Administrator:
        """Whoever holds the bearer key. Raises `AdminRefusal`."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            return self._admission.administrator(key.strip() if scheme.lower() == "bearer" else "")
        except NotAdmitted as refused:
            sentence = "Send `Authorization: Bearer <key>` with a key that has `admin = true`."
            raise AdminRefusal(401 if refused.code == "unauthenticated" else 403, refused.code, sentence) from None

    def tenant(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant that the administrator may see. Raises `AdminRefusal`."""
        tenant = self._table.get(name)
        if tenant is None or not administrator.may_use(name):
            raise AdminRefusal(404, "unknown_tenant", f"There is no tenant {name!r} that this key may use.")
        return tenant

    async def states(self, administrator: Administrator) -> list[dict[str, Any]]:
        """Every tenant that the administrator may see, by name, with the connections of all processes."""
        tenants = sorted(
            (one for one in self._table.all() if administrator.may_use(one.name)), key=lambda one: one.name
        )
        return [self._state(tenant, *facts) for facts in [await self._facts()] for tenant in tenants]

    async def state(self, administrator: Administrator, name: str) -> dict[str, Any]:
        """One tenant as the API says it. Raises `AdminRefusal`."""
        return self._state(self.tenant(administrator, name), *(await self._facts()))

    async def carry_out(self, order: Awaitable[Any]) -> None:
        """Wait for an order, and obey it here at once. Raises `AdminRefusal`."""
        try:
            await order
        except Stale as stale:
            raise AdminRefusal(409, "stale", f"{stale}: look again, and decide anew.", version=stale.version) from None
        except GuardFailed as failed:
            guards = [verdict.as_json() for verdict in failed.failing]
            raise AdminRefusal(
                409, "guard_failed", f"{failed} Mend that, or force it and say why.", guards=guards
            ) from None
        except ReasonMissing:
            sentence = "A step in spite of a guard needs a reason: send `why`."
            raise AdminRefusal(400, "reason_missing", sentence) from None
        except NothingToRollBack:
            raise AdminRefusal(409, "nothing_to_roll_back", "The tenant stands where it started.") from None
        finally:
            await self._table.look_once()

    async def replace_ids(self, tenant: Tenant, ids: dict[str, str]) -> dict[str, Any]:
        """Replace the id map. Raises `AdminRefusal` for one that is not one to one."""
        try:
            check_id_map(ids)
        except ValueError as error:
            raise AdminRefusal(400, "invalid_ids", str(error)) from None
        done = await replace_id_map(self._redis, self._addresses, tenant.name, ids)
        await self._table.look_once()
        counts = {"added": len(done.added), "removed": len(done.removed), "changed": len(done.changed)}
        return {"tenant": tenant.name, "version": done.version, "ids": len(ids), **counts}

    async def _facts(self) -> tuple[Headcounts, str | None]:
        value: bytes | None = await self._redis.get(self._addresses.loss)  # type: ignore[assignment]
        return await read_headcount(self._redis, self._addresses), lost_at(value)

    @staticmethod
    def _state(tenant: Tenant, headcounts: Headcounts, lost: str | None) -> dict[str, Any]:
        counts = headcounts[tenant.name]
        return {
            "tenant": tenant.name,
            "stage": tenant.stage,
            "share": tenant.share,
            "v2_routing": tenant.v2_routing,
            "deprecated": tenant.deprecated.isoformat() if tenant.deprecated else None,
            "sunset": tenant.sunset.isoformat() if tenant.sunset else None,
            "version": tenant.version,
            "ids": len(tenant.names.id_map),
            "connections": {protocol: counts["connections"][protocol] for protocol in PROTOCOLS},
            "messages": {language: counts["messages"][language] for language in ("v2", "v3")},
            "lost_at": lost,
        }


DryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(desk.administrator)]  # noqa: N806 - a type
    _add_orders(routes, desk, Admin)
    _add_reports(routes, desk, Admin)
    return routes


def _add_orders(routes: APIRouter, desk: Desk, Admin: Any) -> None:  # noqa: N803 - a type
    orders, reports = desk.orders, desk.reports

    @routes.put("/tenants/{tenant}/stage", summary="Change stage, share or routing")
    async def change(tenant: str, wanted: NewStage, admin: Admin, dry_run: DryRun = False) -> dict[str, Any]:
        known, order = desk.tenant(admin, tenant), wanted.wanted()
        if dry_run:
            return await reports.predict(known, order.standing(known))
        await desk.carry_out(orders.change(known, admin.name, order))
        return await desk.state(admin, tenant)

    @routes.post("/tenants/{tenant}/rollback", summary="Take the last step back")
    async def roll_back(
        tenant: str, admin: Admin, wanted: StepBack | None = None, dry_run: DryRun = False
    ) -> dict[str, Any]:
        known = desk.tenant(admin, tenant)
        if dry_run:
            try:
                return await reports.predict(known, (await orders.last_step(known)).before)
            except NothingToRollBack:
                raise AdminRefusal(409, "nothing_to_roll_back", "The tenant stands where it started.") from None
        back = wanted or StepBack()
        await desk.carry_out(orders.roll_back(known, admin.name, back.why, back.version))
        return await desk.state(admin, tenant)

    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": Ids.model_json_schema()}}}}

    @routes.put("/tenants/{tenant}/ids", summary="Replace the id map", openapi_extra=body)
    async def ids(tenant: str, request: Request, admin: Admin) -> dict[str, Any]:
        known = desk.tenant(admin, tenant)
        return await desk.replace_ids(known, _ids_in(await request.body()))


def _add_reports(routes: APIRouter, desk: Desk, Admin: Any) -> None:  # noqa: N803 - a type
    orders, reports = desk.orders, desk.reports

    @routes.get("/tenants", summary="Every tenant")
    async def tenants(admin: Admin) -> list[dict[str, Any]]:
        return await desk.states(admin)

    @routes.get("/tenants/{tenant}", summary="One tenant")
    async def tenant_state(tenant: str, admin: Admin) -> dict[str, Any]:
        return await desk.state(admin, tenant)

    @routes.get("/tenants/{tenant}/changes", summary="The record, newest first")
    async def changes(tenant: str, admin: Admin) -> list[dict[str, Any]]:
        return [one.as_json() for one in await orders.changes(desk.tenant(admin, tenant))]

    @routes.get("/tenants/{tenant}/census", summary="Who is still on V2")
    async def census(
        tenant: str,
        admin: Admin,
        protocol: Annotated[Literal["v2", "v3", "socketio", "all"] | None, Query()] = None,
        most: Annotated[int, Query(ge=1, le=100_000)] = MOST_CLIENTS,
    ) -> dict[str, Any]:
        return await reports.census(desk.tenant(admin, tenant), protocol, most)

    @routes.get("/tenants/{tenant}/ledger", summary="What conversion keeps, stashes and leaves out")
    async def ledger(tenant: str, admin: Admin) -> dict[str, Any]:
        return await reports.ledger(desk.tenant(admin, tenant))

    @routes.get("/tenants/{tenant}/history", summary="Connections and messages over time")
    async def history(tenant: str, admin: Admin) -> dict[str, Any]:
        return await reports.history(desk.tenant(admin, tenant))

    @routes.get("/tenants/{tenant}/guards", summary="What the guards say now")
    async def guards(tenant: str, admin: Admin) -> list[dict[str, Any]]:
        return [verdict.as_json() for verdict in await reports.verdicts(desk.tenant(admin, tenant))]


def _ids_in(body: bytes) -> dict[str, str]:
    """The map of a request, in which nothing may stand twice. Raises `AdminRefusal`."""
    try:
        return Ids.model_validate(json.loads(body, object_pairs_hook=_without_doubles)).ids
    except DoubledKey as doubled:
        raise AdminRefusal(400, "invalid_ids", f"The key {doubled.args[0]!r} stands twice: one id, one name.") from None
    except (ValueError, RecursionError):
        raise AdminRefusal(422, "invalid_ids", 'Send {"ids": {"<V2 id>": "<Vision ID>", …}}.') from None


class DoubledKey(Exception):
    """A JSON object has a key twice."""


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise DoubledKey(name[:32])
        found[name] = value
    return found


def unreachable(_error: RedisError) -> JSONResponse:
    """What every route answers while Redis is away."""
    return JSONResponse({"code": "bus_down", "msg": "Redis cannot be reached; try again."}, 503, {"Retry-After": "1"})
