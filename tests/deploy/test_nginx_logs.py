"""No log of nginx ever holds what a query string held: neither where all is well, nor where something fails."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import StartBridge
from tests.deploy.conftest import StartNginx
from tests.deploy.nginx import Nginx
from tests.end_to_end.clients import client, denied, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.servers import BridgeProcess

CONFIG = QUIET + key("secret", "acme")
SECRET = api_key("secret")
V3 = v3_path("team", "ann", with_key("secret"))
NOBODY = "127.0.0.1:1"
NO_SUCH_SOCKET = "unix:/no/such/socket"
SILENCE = "error_log /dev/null emerg;"


@pytest.fixture(scope="module")
def bridge_behind(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


async def ask(proxy: Nginx, target: str, host: str = "localhost") -> None:
    """One handshake whose answer does not matter, on a socket of its own."""
    async with raw_socket(proxy, proxy.tls) as one:
        await one.send(request(target, {**HANDSHAKE, "Host": host}))
        await one.answer()


async def test_where_all_is_well(nginx: StartNginx, bridge_behind: BridgeProcess) -> None:
    proxy = nginx(bridge_behind, bridge_behind)
    async with client(proxy, V3, host="localhost", tls=proxy.tls) as ann:
        assert await ann.is_served()
    await ask(proxy, f"/healthz%3F{with_key('secret')}")
    proxy.wait_until(lambda: "/healthz" in proxy.access_log, "log both requests")
    assert '"GET /v3/ws/group/team/client/ann" 101 ' in proxy.access_log
    assert SECRET not in proxy.everything_logged
    assert SECRET not in bridge_behind.log


async def test_where_the_client_is_at_fault(nginx: StartNginx, bridge_behind: BridgeProcess) -> None:
    proxy = nginx(bridge_behind, bridge_behind, changes={"burst=2000 delay=200": "burst=1 nodelay", "100r/s": "1r/m"})
    await ask(proxy, V3 + "x" * 8_192)
    await ask(proxy, V3, "unlisted.example.com")
    await ask(proxy, f"/nowhere?{with_key('secret')}")
    async with httpx.AsyncClient() as careless:
        await careless.get(f"http://127.0.0.1:{proxy.plain_port}/admin?{with_key('secret')}")
    async with raw_socket(proxy, proxy.tls) as one:
        await one.send(request(V3, {**HANDSHAKE, "Host": "localhost", "Cookie": "x" * 8_192}))
        await one.answer()
    async with client(proxy, V3, host="localhost", tls=proxy.tls) as dropped:
        dropped.connection.transport.abort()
    for _ in range(2):
        await ask(proxy, V3)
    statuses = ("101", "400", "403", "404", "414", "431", "503")
    proxy.wait_until(lambda: all(f'" {status} ' in proxy.access_log for status in statuses), "log every fault")
    assert SECRET not in proxy.everything_logged


@pytest.mark.parametrize("bridge_address", [NOBODY, NO_SUCH_SOCKET])
async def test_where_no_bridge_answers(nginx: StartNginx, bridge_address: str) -> None:
    proxy = nginx(bridge_address, bridge_address)
    await denied(proxy, V3, host="localhost", tls=proxy.tls)
    proxy.wait_until(lambda: '"GET /v3/ws/group/team/client/ann" 503 ' in proxy.access_log, "log the refusal")
    assert f"by {bridge_address}" in proxy.access_log
    assert SECRET not in proxy.everything_logged


FAULTS = {
    "error": (NOBODY, {}),
    "crit": (NO_SUCH_SOCKET, {}),
    "alert": (NOBODY, {"worker_connections 16384;": "worker_connections 4;"}),
}


@pytest.mark.parametrize("level", FAULTS)
async def test_an_error_log_of_requests_would_hold_it_at_every_level(nginx: StartNginx, level: str) -> None:
    """Why no line about a request is written at all; and these tests would see it if it were."""
    address, changes = FAULTS[level]
    proxy = nginx(address, address, changes={SILENCE: f"error_log /var/log/nginx/requests.log {level};", **changes})
    await ask(proxy, V3)

    def holds_it() -> bool:
        return any(f"[{level}]" in line and SECRET in line for line in proxy.everything_logged.splitlines())

    proxy.wait_until(holds_it, f"log an {level}")
