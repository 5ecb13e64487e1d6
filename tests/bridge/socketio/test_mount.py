"""The Socket.IO door as the application has it."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from bridge.config.settings import Settings
from bridge.runtime.app import Application
from tests.bridge.socketio.parts import POLLING
from tests.servers import PROJECT


@pytest.mark.parametrize(("is_served", "status"), [(True, 200), (False, 404)])
async def test_it_is_served_where_the_setting_is_on(redis_url: str, prefix: str, is_served: bool, status: int) -> None:  # noqa: FBT001
    app = Application(Settings(prefix=prefix, socketio=is_served), redis_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http,
    ):
        assert (await http.get(f"/socket.io/?{POLLING}")).status_code == status
        counted = "bridge_socketio_sessions_total 1.0" in (await http.get("/metrics")).text
    assert counted == is_served


def test_it_needs_no_package_that_others_do_not() -> None:
    """python-socketio and its engine are what the tests have for clients."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('engineio', 'socketio', 'aiohttp', 'requests')));"
        "import bridge.socketio.mount"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True, cwd=PROJECT)
