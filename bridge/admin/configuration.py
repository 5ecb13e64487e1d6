"""Routes about the administrator and the configuration: `GET /admin/api/me`, `POST /admin/api/reload`.

They decide nothing: `runtime/reload.py` reads the configuration, and refuses one with a mistake.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from bridge.admin.refusals import REFUSED
from bridge.admin.roles import check_platform
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal
from bridge.config.reload import Reloaded
from bridge.handshake.authentication import Administrator

Ask = Callable[[str], Awaitable[Reloaded]]
"""Has the configuration read anew for somebody, and returns what came of it."""


def router(service: TenantService, ask: Ask) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type

    @routes.get("/me", summary="What this key may do")
    async def me(admin: Admin) -> dict[str, Any]:
        return {"name": admin.name, "role": admin.role, "tenants": list(admin.tenants), "broadcast": admin.broadcast}

    @routes.post("/reload", summary="Read the configuration anew")
    async def reload(admin: Admin) -> dict[str, Any]:
        check_platform(admin, "Reading the configuration anew")
        return _said(await ask(admin.name))

    return routes


def _said(reloaded: Reloaded) -> dict[str, Any]:
    """The answer. Raises `AdminRefusal` if nothing was taken: 400 for a mistake, 409 where there is nothing to read."""
    if reloaded.is_nothing_to_read:
        raise AdminRefusal(409, "nothing_to_read", f"{reloaded.problem}.")
    if reloaded.problem:
        sentence = f"Refused, and what was goes on: {reloaded.problem}"
        raise AdminRefusal(400, "invalid_configuration", sentence)
    names = {"changed": list(reloaded.changed), "needs_restart": list(reloaded.needs_restart)}
    return {"ok": True, "configuration": reloaded.hash, **names}
