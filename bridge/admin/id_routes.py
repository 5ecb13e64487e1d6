"""Routes that change a tenant's id map: add to it, replace it, take the last change back; each can be tried first.

The map in a request is read by `ids.py`, and put in place by `tenants/id_map.py`. To be deleted together with V2.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from heapq import nsmallest
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from bridge.admin.ids import Ids, Maps
from bridge.admin.order_bodies import described
from bridge.admin.pace import party_of
from bridge.admin.routes import JsonObject
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import now
from bridge.handshake.authentication import Administrator
from bridge.system.background import run_in_background
from bridge.tenants.id_map import NothingToTakeBack, Replacement, line_of, replace_id_map, take_back_id_map
from bridge.tenants.tenant import Tenant
from bridge.tenants.v2 import Conflicts, add_to_id_map

PATH: Final = "/tenants/{tenant}/ids"
MOST_CONFLICTS: Final = 100
MOST_NAMED: Final = 100
"""Ids that an answer names of those that are added, removed or changed: so many of each. The counts are of all."""
IsWhole = Annotated[bool, Query(description="The body is the whole map: what it lacks goes.")]
Why = Annotated[str, Query(max_length=1_000, description="The reason, for the record.")]
IsDryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]


def add_to(routes: APIRouter, service: TenantService, Admin: Any) -> None:  # noqa: N803 - a type
    """Add the routes. `Admin`: the dependency that authenticates."""
    maps = Maps()

    @routes.put(PATH, summary="Add to the id map, or replace it", openapi_extra=described(Ids, is_required=True))
    async def ids(
        tenant: str, request: Request, admin: Admin, replace: IsWhole = False, why: Why = "", dry_run: IsDryRun = False
    ) -> JsonObject:
        known = service.ordered(admin, tenant)
        change = replace_id_map if replace else add_to_id_map
        async with maps.taken(request, party_of(admin, known.name)) as taken:
            return await _change_ids(service, known, partial(change, id_map=taken), admin, why, dry_run=dry_run)

    @routes.post(f"{PATH}/undo", summary="Put back the id map from before its last change")
    async def undo(tenant: str, admin: Admin, why: Why = "", dry_run: IsDryRun = False) -> JsonObject:
        known = service.ordered(admin, tenant)
        return await _change_ids(service, known, take_back_id_map, admin, why, dry_run=dry_run)


async def _change_ids(
    service: TenantService,
    tenant: Tenant,
    change: Callable[..., Awaitable[Replacement]],
    admin: Administrator,
    why: str,
    *,
    dry_run: bool,
) -> JsonObject:
    line = line_of(tenant, admin.name, now(), why)
    make = partial(change, tenant=tenant.name, line=line, dry_run=dry_run)
    try:
        return await _answer(tenant, await service.change_ids(tenant, make))
    except Conflicts as conflicts:
        detail = [{"field": v2_id, "problem": sentence} for v2_id, sentence in conflicts.sentences.items()]
        sentence = f"{conflicts}: nothing was changed. Send ?replace=true to replace the whole map."
        raise AdminRefusal(409, "ids_in_conflict", sentence, detail=detail[:MOST_CONFLICTS]) from None
    except NothingToTakeBack:
        raise AdminRefusal(409, "nothing_to_roll_back", "No change of the id map can be taken back.") from None


async def _answer(tenant: Tenant, done: Replacement) -> JsonObject:
    """The size of the map, the tenant's version, and how many ids are added, removed and changed; the first by name."""
    counts = {"added": len(done.added), "removed": len(done.removed), "changed": len(done.changed)}
    named = await run_in_background(_named, done)
    return {"tenant": tenant.name, "version": done.version, "ids": done.size, **counts, "named": named}


def _named(done: Replacement) -> Mapping[str, list[str]]:
    """The first V2 ids of each kind, in order."""
    kinds = {"added": done.added, "removed": done.removed, "changed": done.changed}
    return {kind: nsmallest(MOST_NAMED, v2_ids) for kind, v2_ids in kinds.items()}
