"""What the routes of the admin API share: authentication, the tenants that a key may see, their state, the rate limit.

It judges nothing: `cutover/changes.py` makes changes, and `records/reports.py` makes reports.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Request, Security
from fastapi.security import HTTPBearer
from redis.asyncio import Redis

from bridge.admin.pace import Pace, party_of
from bridge.admin.report_answer import ReportAnswer
from bridge.admin.roles import check_role
from bridge.admin.sign_ins import SignIns
from bridge.admin.tenant_state import tenant_state
from bridge.api.errors import AdminRefusal, redis_away
from bridge.broker.addresses import Addresses
from bridge.broker.data_loss import read_lost_at
from bridge.handshake.authentication import Administrator, Authentication
from bridge.handshake.tokens import NotAdmitted
from bridge.records.cluster_counts import TenantCounts, read_cluster_counts
from bridge.records.reports import Reports
from bridge.sockets.ports import vouch
from bridge.tenants.id_map import Replacement
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant

_BEARER: Final = HTTPBearer(scheme_name="Bearer", description="A key that has a `role`.", auto_error=False)
JsonFact = dict[str, Any]


class TenantService:
    """What an administrator may see and change of the tenants of this deployment."""

    def __init__(
        self,
        authentication: Authentication,
        table: TenantTable,
        redis: Redis,
        addresses: Addresses,
        reports: Reports,
        is_redis_there: Callable[[], bool],
        sign_ins: SignIns,
    ) -> None:
        self._authentication = authentication
        self._table = table
        self._redis = redis
        self._addresses = addresses
        self._is_redis_there = is_redis_there
        self._sign_ins = sign_ins
        self._pace = Pace()
        self.reports: Final = reports

    async def administrator(
        self, request: Request, _bearer: Annotated[object, Security(_BEARER)] = None
    ) -> Administrator:
        """The administrator with the bearer key of a request; a dependency of FastAPI. `_bearer` names it for OpenAPI.

        Its role must suffice for the route (`roles.py`). Raises `AdminRefusal`: 401, 403, or 503 while Redis cannot be
        reached, because all answers come from there. It awaits nothing, but is `async` because FastAPI would call it in
        a thread otherwise, and sockets belong to the event loop.
        """
        found = self._holder_of_key(request)
        if not self._is_redis_there():
            raise redis_away()
        vouch(request.scope)
        self._sign_ins.admitted(request, found.name)
        return found

    def _holder_of_key(self, request: Request) -> Administrator:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            found = self._authentication.administrator(key.strip() if scheme.lower() == "bearer" else "")
        except NotAdmitted as refused:
            self._sign_ins.refused(request, refused.code)
            sentence = "Send `Authorization: Bearer <key>` with a key that has a `role` (`admin = true` is one)."
            raise AdminRefusal(401 if refused.code == "unauthenticated" else 403, refused.code, sentence) from None
        try:
            check_role(found, request)
        except AdminRefusal:
            self._sign_ins.refused(request, "forbidden")
            raise
        return found

    def still_knows(self, administrator: Administrator) -> bool:
        """Whether the key of this administrator still gives what it gave."""
        return self._authentication.still_knows(administrator)

    def tenant(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant that the administrator may see. Raises `AdminRefusal` (404)."""
        tenant = self._table.get(name)
        if tenant is None or not administrator.may_use(name):
            raise AdminRefusal(404, "unknown_tenant", f"There is no tenant {name!r} that this key may use.")
        return tenant

    def ordered(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant that is to be changed; counts one order. Raises `AdminRefusal` (404, or 429 for one too many)."""
        tenant = self.tenant(administrator, name)
        self._pace.spend(party_of(administrator, name))
        return tenant

    def spend(self, administrator: Administrator) -> None:
        """Count one order that is about no tenant. Raises `AdminRefusal` (429) for one too many."""
        self._pace.spend(party_of(administrator, "" if administrator.is_for_platform else administrator.tenants[0]))

    async def states(self, administrator: Administrator) -> list[dict[str, Any]]:
        """Every tenant that the administrator may see, sorted by name, with the connections of all processes.

        Raises `AdminRefusal`, and what redis-py raises.
        """
        tenants = sorted(
            (one for one in self._table.all() if administrator.may_use(one.name)), key=lambda one: one.name
        )
        return [tenant_state(tenant, *facts) for facts in [await self._facts()] for tenant in tenants]

    async def state(self, administrator: Administrator, name: str) -> dict[str, Any]:
        """One tenant as a JSON object of the API. Raises `AdminRefusal`, and what redis-py raises."""
        return tenant_state(self.tenant(administrator, name), *(await self._facts()))

    def knows(self, name: str) -> bool:
        """Whether this process knows the tenant already, even if the key may not see it."""
        return self._table.get(name) is not None

    async def look(self, name: str) -> None:
        """Read the state of a tenant from Redis, if Redis can be reached."""
        if self._is_redis_there():
            await self._table.look_once(name)

    async def fresh(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant as it is now in Redis, whichever process changed it last. Raises `AdminRefusal` (404, or 503)."""
        if not await self._table.look_once(name):
            raise redis_away()
        return self.tenant(administrator, name)

    def report(
        self, administrator: Administrator, name: str, make: Callable[[Tenant], Awaitable[object]]
    ) -> ReportAnswer:
        """The response with what `make` returns about a tenant, made when its turn comes. Raises `AdminRefusal`."""
        tenant = self.tenant(administrator, name)
        return ReportAnswer(self.reports.turns, tenant.name, administrator, lambda: make(tenant))

    def platform_report(self, administrator: Administrator, make: Callable[[], Awaitable[object]]) -> ReportAnswer:
        """The response with a report about no tenant. Raises `AdminRefusal` (403) for a key of some tenants alone."""
        if not administrator.is_for_platform:
            raise AdminRefusal(403, "forbidden", 'This is for keys of all tenants: `tenants = ["*"]`.')
        return ReportAnswer(self.reports.turns, "", administrator, make)

    async def change_ids(
        self, tenant: Tenant, make: Callable[[Redis, Addresses], Awaitable[Replacement]]
    ) -> Replacement:
        """Change the id map, and apply it in this process at once."""
        done = await make(self._redis, self._addresses)
        await self._table.look_once(tenant.name)
        return done

    async def _facts(self) -> tuple[TenantCounts, str | None]:
        if not self._is_redis_there():
            raise redis_away()
        lost = await read_lost_at(self._redis, self._addresses)
        return await read_cluster_counts(self._redis, self._addresses), lost
