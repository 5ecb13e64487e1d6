"""Which role each route of the admin API asks for, over all routes that an application has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request
from fastapi.routing import APIRoute

from bridge.admin.roles import PREFIX, ROLE_OF, check_platform, check_role, role_needed
from bridge.api.errors import AdminRefusal
from bridge.config.tables import ROLES, Role
from bridge.handshake.authentication import Administrator
from tests.conftest import StartBridge
from tests.end_to_end.configuration import api_key, key
from tests.servers import BridgeProcess

CONFIG = "[tenants.acme]\n" + "".join(
    key(role, "*").replace("broadcast", f'role = "{role}"\nbroadcast') for role in ROLES
)


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture
async def http(shared: BridgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shared.url) as client:
        yield client


async def test_each_route_has_its_role_and_keeps_to_it(http: httpx.AsyncClient) -> None:
    """The document names every route; each is asked by each role, with a body that no order has."""
    document = (await http.get("/openapi.json")).json()["paths"]
    served = {
        (method.upper(), path.removeprefix(PREFIX))
        for path, methods in document.items()
        if path.startswith(PREFIX)
        for method in methods
    }
    assert served == {(method, path.replace(":path", "")) for method, path in ROLE_OF}
    for (method, path), needed in ROLE_OF.items():
        for role in ROLES:
            url = PREFIX + path.replace("{tenant}", "acme").replace("{name:path}", "nobody")
            headers = {"Authorization": f"Bearer {api_key(role)}"}
            async with http.stream(method, url, headers=headers, content=b"" if method == "GET" else b"?") as answer:
                is_kept_out = answer.status_code == 403
            assert is_kept_out == (ROLES.index(role) < ROLES.index(needed)), (method, path, role)


async def test_who_is_kept_out_is_told_the_role_that_it_takes(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{PREFIX}/reload", headers={"Authorization": f"Bearer {api_key('operator')}"})
    said = answer.json()
    assert (said["code"], said["role"]) == ("forbidden", "admin")
    assert said["msg"] == "This needs a key with the role admin; this key's is operator."


async def test_who_has_a_key_may_ask_what_it_is_worth(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{PREFIX}/me", headers={"Authorization": f"Bearer {api_key('viewer')}"})
    assert answer.json() == {"name": "viewer", "role": "viewer", "tenants": ["*"], "broadcast": "tenant"}


@pytest.mark.parametrize(("method", "role"), [("GET", "viewer"), ("PUT", "admin"), ("POST", "admin")])
def test_a_route_that_is_not_in_the_table_is_for_readers_or_for_admins(method: str, role: Role) -> None:
    assert role_needed(method, PREFIX + "/something/new") == role


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_those_before_it_may(role: Role) -> None:
    scope = {"type": "http", "method": "PUT", "route": APIRoute(f"{PREFIX}/tenants/{{tenant}}/stage", print)}
    administrator = Administrator("ann", ("*",), role)
    if role in ("operator", "admin"):
        check_role(administrator, Request(scope))
    else:
        with pytest.raises(AdminRefusal):
            check_role(administrator, Request(scope))


def test_what_concerns_everybody_needs_a_key_for_every_tenant() -> None:
    check_platform(Administrator("ann", ("*",)), "This")
    with pytest.raises(AdminRefusal) as refused:
        check_platform(Administrator("ann", ("acme",)), "This")
    assert refused.value.body["msg"] == "This needs a key for every tenant (`*`)."
