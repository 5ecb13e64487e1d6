"""What the dashboard is served with. Its files are tried by a browser in `tests/end_to_end/test_dashboard.py`."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import StartBridge
from tests.end_to_end.configuration import key
from tests.servers import BridgeProcess


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    """A bridge with keys: it has no page for developers, and a dashboard."""
    return module_bridge(config=key("clerk", "acme"))


async def asked(shared: BridgeProcess, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(base_url=shared.url) as http:
        return await http.request(method, path)


async def test_the_dashboard_needs_no_key_to_be_loaded_since_it_shows_nothing_by_itself(shared: BridgeProcess) -> None:
    for path in ("/admin", "/admin/"):
        answer = await asked(shared, path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await asked(shared, "/admin/api/tenants")).status_code == 401


async def test_it_may_connect_to_where_it_came_from_and_nowhere_else(shared: BridgeProcess) -> None:
    headers = (await asked(shared, "/admin")).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "connect-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


async def test_what_it_shares_with_the_page_for_developers_is_there_without_that_page(shared: BridgeProcess) -> None:
    assert (await asked(shared, "/page/base.css")).status_code == 404
    for name, media_type in {
        "base.css": "text/css",
        "element.js": "text/javascript",
        "icon.svg": "image/svg+xml",
    }.items():
        answer = await asked(shared, f"/admin/page/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media_type)


@pytest.mark.parametrize(
    "path", ["/admin/page/missing.js", "/admin/page/", "/admin/page/..%2f__init__.py", "/admin/nowhere"]
)
async def test_a_file_that_it_does_not_have_is_not_found(shared: BridgeProcess, path: str) -> None:
    assert (await asked(shared, path)).status_code == 404


async def test_nothing_can_be_posted_to_it(shared: BridgeProcess) -> None:
    assert (await asked(shared, "/admin", "POST")).status_code == 405


async def test_it_is_no_part_of_the_api_that_is_described(shared: BridgeProcess) -> None:
    paths = (await asked(shared, "/openapi.json")).json()["paths"]
    assert "/admin" not in paths
    assert "/admin/api/tenants/{tenant}/stage" in paths
