"""What the routes of the admin API share: who may ask, which tenants there are, and how fast they may be changed.

It judges nothing: changes are made by `cutover/changes.py`, reports by `records/reports.py`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request
from redis.asyncio import Redis

from bridge.admin.pace import Pace, party_of
from bridge.admin.report_answer import ReportAnswer
from bridge.api.errors import AdminRefusal, redis_away
from bridge.broker.addresses import Addresses
from bridge.broker.data_loss import read_lost_at
from bridge.handshake.authentication import Administrator, Authentication
from bridge.handshake.tokens import NotAdmitted
from bridge.records.cluster_counts import TenantCounts, read_cluster_counts
from bridge.records.report_rows import PROTOCOLS
from bridge.records.reports import Reports
from bridge.sockets.ports import vouch
from bridge.tenants.id_map import replace_id_map
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant


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
    ) -> None:
        self._authentication = authentication
        self._table = table
        self._redis = redis
        self._addresses = addresses
        self._is_redis_there = is_redis_there
        self._pace = Pace()
        self.reports: Final = reports

    async def administrator(self, request: Request) -> Administrator:
        """Whoever holds the bearer key. Raises `AdminRefusal`, also while Redis is away: it has the answers.

        It awaits nothing, but FastAPI would give what is not `async` to a thread, and sockets are the loop's.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            found = self._authentication.administrator(key.strip() if scheme.lower() == "bearer" else "")
        except NotAdmitted as refused:
            sentence = "Send `Authorization: Bearer <key>` with a key that has `admin = true`."
            raise AdminRefusal(401 if refused.code == "unauthenticated" else 403, refused.code, sentence) from None
        if not self._is_redis_there():
            raise redis_away()
        vouch(request.scope)
        return found

    def tenant(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant that the administrator may see. Raises `AdminRefusal`."""
        tenant = self._table.get(name)
        if tenant is None or not administrator.may_use(name):
            raise AdminRefusal(404, "unknown_tenant", f"There is no tenant {name!r} that this key may use.")
        return tenant

    def ordered(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant that is to change once more. Raises `AdminRefusal`, also for one change too many."""
        tenant = self.tenant(administrator, name)
        self._pace.spend(party_of(administrator, name))
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

    def knows(self, name: str) -> bool:
        """Whether this process knows such a tenant already, whoever may see it."""
        return self._table.get(name) is not None

    async def look(self, name: str) -> None:
        """See what has become of a tenant, while Redis is there."""
        if self._is_redis_there():
            await self._table.look_once(name)

    async def fresh(self, administrator: Administrator, name: str) -> Tenant:
        """A tenant as it is now, whichever process was told last. Raises `AdminRefusal`."""
        if not await self._table.look_once(name):
            raise redis_away()
        return self.tenant(administrator, name)

    def report(
        self, administrator: Administrator, name: str, make: Callable[[Tenant], Awaitable[object]]
    ) -> ReportAnswer:
        """What `make` says of a tenant, when its turn has come. Raises `AdminRefusal`."""
        tenant = self.tenant(administrator, name)
        return ReportAnswer(self.reports.turns, tenant.name, administrator, lambda: make(tenant))

    async def replace_ids(self, tenant: Tenant, ids: dict[str, str]) -> dict[str, Any]:
        """Replace the id map."""
        done = await replace_id_map(self._redis, self._addresses, tenant.name, ids)
        await self._table.look_once(tenant.name)
        counts = {"added": len(done.added), "removed": len(done.removed), "changed": len(done.changed)}
        return {"tenant": tenant.name, "version": done.version, "ids": len(ids), **counts}

    async def _facts(self) -> tuple[TenantCounts, str | None]:
        if not self._is_redis_there():
            raise redis_away()
        lost = await read_lost_at(self._redis, self._addresses)
        return await read_cluster_counts(self._redis, self._addresses), lost

    @staticmethod
    def _state(tenant: Tenant, cluster: TenantCounts, lost: str | None) -> dict[str, Any]:
        counts = cluster[tenant.name]
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
