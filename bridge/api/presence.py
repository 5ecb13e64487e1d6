"""`GET /v3/presence/group/{group_id}`: the clients that are in a group now, of both protocols."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from bridge.api.authority import OF_AUTHORITY, Authority, HttpRefusal, documented
from bridge.broker.presence import Presence
from bridge.handshake.authentication import Identity
from bridge.tenants.tenant import Tenant
from v3.schema import NAME


class Member(BaseModel):
    """One client that is present, and since when its oldest connection has been open."""

    client_id: str
    protocol: str
    since: str


GroupId = Annotated[str, Path(json_schema_extra={"pattern": NAME})]


class GroupPresence(BaseModel):
    """A group and its members, by client id."""

    group_id: str
    members: list[Member]


def router(authority: Authority, presence: Presence) -> APIRouter:
    """The route."""
    routes = APIRouter()
    Authorised = Annotated[tuple[Identity, Tenant], Depends(authority)]  # noqa: N806 - a type

    refusals = documented(*OF_AUTHORITY, "invalid_id", "bus_down")

    @routes.get(
        "/v3/presence/group/{group_id}",
        summary="Who is in a group",
        response_model=GroupPresence,
        responses=refusals,
    )
    async def of_group(group_id: GroupId, authorised: Authorised) -> Response:
        """The members of a group of the caller's tenant; an empty list where nobody is."""
        _, tenant = authorised
        name = tenant.resolve(group_id)
        if name is None:
            raise HttpRefusal("invalid_id", [{"field": "group_id", "problem": "is no Vision ID"}])
        members = await _members(presence, tenant.name, name)
        if members is None:
            raise HttpRefusal("bus_down")
        body = b'{"group_id":%b,"members":%b}' % (to_json(name), members)
        return Response(body, media_type="application/json")

    return routes


async def _members(presence: Presence, tenant: str, group: str) -> bytes | None:
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    presence.members(tenant, group, lambda members: None if answered.done() else answered.set_result(members))
    return await answered  # type: ignore[no-any-return]
