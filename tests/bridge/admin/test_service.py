"""What an administrator may see: the tenants of the key, as this process knows them, and reports about them."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import cast

import pytest

from bridge.admin.service import TenantService
from bridge.admin.sign_ins import SignIns
from bridge.api.errors import AdminRefusal
from bridge.handshake.authentication import Administrator, Authentication
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk

BOSS, CHIEF = Administrator("boss", ("*",)), Administrator("chief", ("other",))


def service_at(desk: Desk, *, is_redis_there: bool = True) -> TenantService:
    table = TenantTable(desk.redis, desk.addresses, {name: Tenant(name) for name in (TENANT, "other")})
    nobody = cast(Authentication, None)
    return TenantService(nobody, table, desk.redis, desk.addresses, desk.reports, lambda: is_redis_there, SignIns())


async def test_an_administrator_sees_the_tenants_of_the_key_alone(desk: Desk) -> None:
    service = service_at(desk)
    assert [state["tenant"] for state in await service.states(BOSS)] == [TENANT, "other"]
    assert [state["tenant"] for state in await service.states(CHIEF)] == ["other"]
    for administrator, name in ((CHIEF, TENANT), (BOSS, "nobody")):
        with pytest.raises(AdminRefusal) as refused:
            await service.state(administrator, name)
        assert (refused.value.status, refused.value.body["code"]) == (404, "unknown_tenant")


async def test_while_redis_is_away_nothing_is_known_of_a_tenant(desk: Desk) -> None:
    with pytest.raises(AdminRefusal) as refused:
        await service_at(desk, is_redis_there=False).states(BOSS)
    assert (refused.value.status, refused.value.body["code"]) == (503, "bus_down")


async def test_who_asks_is_looked_at_on_the_loop(desk: Desk) -> None:
    """FastAPI gives what is not `async` to a thread, and sockets are the loop's alone."""
    assert iscoroutinefunction(service_at(desk).administrator)
