"""`/admin/api/…`: what an operator's tools ask and order. Every route wants the bearer key of an administrator.

It carries orders out and judges none: what a change means is for `tenants.py`, that it is made once for `changes.py`.
Optimistic: who says a version is refused with 409 where the tenant has moved on.
"""

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import JSONResponse

from bridge.admission import Administrator, Admission, NotAdmitted
from bridge.broker.addresses import Addresses
from bridge.broker.changes import NEWEST, Change, Stale, Standing, back, make, newest, step_back
from bridge.broker.headcount import read_headcount
from bridge.broker.id_map import replace_id_map
from bridge.broker.tenant_table import TenantTable
from bridge.tenants import Routing, Stage, Tenant
from compat.identity import check_id_map
from v3.session import timestamp

PROTOCOLS: Final = ("v2", "v3", "socketio")
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
    """What a refusal looks like: a code for programs, a sentence for people; `version` where that is the matter."""

    code: str
    msg: str
    version: int | None = None


REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": RefusedOrder, "description": "`invalid_ids`"},
    401: {"model": RefusedOrder, "description": "`unauthenticated`"},
    403: {"model": RefusedOrder, "description": "`forbidden`: not an admin key"},
    404: {"model": RefusedOrder, "description": "`unknown_tenant`"},
    409: {"model": RefusedOrder, "description": "`stale`, `nothing_to_roll_back`"},
    503: {"model": RefusedOrder, "description": "`bus_down`"},
}


class NewStage(BaseModel):
    """What a tenant is to become; what is left out stays. `version`: the one that the author saw."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage | None = None
    share: int | None = Field(None, ge=0, le=100)
    v2_routing: Routing | None = None
    why: str = Field("", max_length=1_000)
    version: int | None = None


class Why(BaseModel):
    """Why a step is taken back."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("", max_length=1_000)


class Ids(BaseModel):
    """A whole id map: V2 id -> Vision ID."""

    model_config = ConfigDict(extra="forbid")

    ids: dict[str, str] = Field(max_length=MOST_IDS)


class Desk:
    """Where orders are carried out: what the routes share."""

    def __init__(self, admission: Admission, table: TenantTable, redis: Redis, addresses: Addresses) -> None:
        self._admission = admission
        self._table = table
        self._redis = redis
        self._addresses = addresses

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

    def tenants(self, administrator: Administrator) -> list[Tenant]:
        """All tenants that the administrator may see, by name."""
        return sorted((one for one in self._table.all() if administrator.may_use(one.name)), key=lambda one: one.name)

    async def states(self, tenants: list[Tenant]) -> list[dict[str, Any]]:
        """Each tenant as the API says it, with the connections of all processes."""
        headcount = await read_headcount(self._redis, self._addresses)
        return [state_of(tenant, dict(headcount.get(tenant.name, {}))) for tenant in tenants]

    async def change(self, tenant: Tenant, who: str, wanted: NewStage) -> None:
        """Make a change; at the version that was said, else at the one that is known here. Raises `AdminRefusal`."""
        before = Standing.of(tenant)
        after = Standing(
            wanted.stage or before.stage,
            before.share if wanted.share is None else wanted.share,
            wanted.v2_routing or before.v2_routing,
        )
        version = tenant.version if wanted.version is None else wanted.version
        await self._make(Change(tenant.name, version, who, _now(), before, after, wanted.why))

    async def roll_back(self, tenant: Tenant, who: str, why: str) -> None:
        """Take the last step back. Raises `AdminRefusal`."""
        last = step_back(await self.changes(tenant))
        if last is None:
            raise AdminRefusal(409, "nothing_to_roll_back", f"Tenant {tenant.name!r} stands where it started.")
        await self._make(back(tenant, last, who, _now(), why))

    async def changes(self, tenant: Tenant) -> list[Change]:
        """The newest changes, newest first."""
        return await newest(self._redis, self._addresses, tenant.name, NEWEST)

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

    async def _make(self, change: Change) -> None:
        try:
            await make(self._redis, self._addresses, change)
        except Stale as stale:
            raise AdminRefusal(409, "stale", f"{stale}: look again, and decide anew.", version=stale.version) from None
        finally:
            await self._table.look_once()


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(desk.administrator)]  # noqa: N806 - a type

    @routes.get("/tenants", summary="Every tenant")
    async def tenants(admin: Admin) -> list[dict[str, Any]]:
        return await desk.states(desk.tenants(admin))

    @routes.get("/tenants/{tenant}", summary="One tenant")
    async def tenant_state(tenant: str, admin: Admin) -> dict[str, Any]:
        return (await desk.states([desk.tenant(admin, tenant)]))[0]

    @routes.put("/tenants/{tenant}/stage", summary="Change stage, share or routing")
    async def change(tenant: str, wanted: NewStage, admin: Admin) -> dict[str, Any]:
        await desk.change(desk.tenant(admin, tenant), admin.name, wanted)
        return (await desk.states([desk.tenant(admin, tenant)]))[0]

    @routes.post("/tenants/{tenant}/rollback", summary="Take the last step back")
    async def roll_back(tenant: str, admin: Admin, reason: Why | None = None) -> dict[str, Any]:
        await desk.roll_back(desk.tenant(admin, tenant), admin.name, reason.why if reason else "")
        return (await desk.states([desk.tenant(admin, tenant)]))[0]

    @routes.get("/tenants/{tenant}/changes", summary="The record, newest first")
    async def changes(tenant: str, admin: Admin) -> list[dict[str, Any]]:
        return [one.as_json() for one in await desk.changes(desk.tenant(admin, tenant))]

    @routes.put("/tenants/{tenant}/ids", summary="Replace the id map")
    async def ids(tenant: str, wanted: Ids, admin: Admin) -> dict[str, Any]:
        return await desk.replace_ids(desk.tenant(admin, tenant), wanted.ids)

    return routes


def state_of(tenant: Tenant, connections: dict[str, int]) -> dict[str, Any]:
    """A tenant as the API says it."""
    return {
        "tenant": tenant.name,
        "stage": tenant.stage,
        "share": tenant.share,
        "v2_routing": tenant.v2_routing,
        "deprecated": tenant.deprecated.isoformat() if tenant.deprecated else None,
        "sunset": tenant.sunset.isoformat() if tenant.sunset else None,
        "version": tenant.version,
        "ids": len(tenant.names.id_map),
        "connections": {protocol: connections.get(protocol, 0) for protocol in PROTOCOLS},
    }


def unreachable(_error: RedisError) -> JSONResponse:
    """What every route answers while Redis is away."""
    return JSONResponse({"code": "bus_down", "msg": "Redis cannot be reached; try again."}, 503, {"Retry-After": "1"})


def _now() -> str:
    return timestamp(time.time_ns() // 1_000)
