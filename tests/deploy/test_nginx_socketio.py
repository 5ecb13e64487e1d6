"""Socket.IO through nginx to two bridges: each session stays with its own, and everyone hears everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.deploy.conftest import StartNginx
from tests.deploy.nginx import Nginx
from tests.end_to_end.clients import ANSWER_SECONDS, client, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.socketio_clients import TRANSPORTS, connect, library_client
from tests.servers import BridgeProcess

VISITORS = 6
# Behind a proxy the bridge must be open to whoever the proxy lets in; these have no origin, as no browser sends them.
SAID = {"msg_type": "msg", "target": "group", "msg": "hi"}


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge("--socketio", config=QUIET) for _ in range(2)]


@pytest.fixture(scope="module")
def proxy(nginx: StartNginx, bridges: list[BridgeProcess]) -> Nginx:
    return nginx(*bridges)


@asynccontextmanager
async def visiting(proxy: Nginx, transports: str, namespace: str, query: str, **auth: str) -> AsyncIterator[Any]:
    """A client behind nginx, and the queue of what it hears."""
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(said: Any) -> None:
        heard.put_nowait(said)

    async with library_client(proxy.tls) as one:
        one.on("message", hear, namespace=namespace)
        await connect(one, proxy.url, namespace, transports, query, auth)
        yield one, heard


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize("named", ["", "client_id"], ids=["by its address", "by its query"])
async def test_sessions_hold_and_everyone_hears_everyone(proxy: Nginx, transports: str, named: str) -> None:
    async with (
        client(proxy, v3_path("g", "ann"), host="localhost", tls=proxy.tls) as ann,
        client(proxy, "/ws/group/g/client/42", host="localhost", tls=proxy.tls) as old,
    ):
        for number in range(VISITORS):
            name = f"visitor{number}"
            query = f"client_id={name}&group_id=g" if named else ""
            async with visiting(proxy, transports, "/v3", query, client_id=name, group_id="g") as (one, heard):
                answer = await one.call("message", SAID, namespace="/v3", timeout=ANSWER_SECONDS)
                assert answer["ok"] is True
                assert (await asyncio.wait_for(heard.get(), ANSWER_SECONDS))["from_id"] == name
                assert (await ann.hear())["from_id"] == name
                assert (await old.hear())["client_id"] == name
                await ann.say({"msg_type": "msg", "target": "direct", "to_id": name, "msg": "psst"})
                assert (await asyncio.wait_for(heard.get(), ANSWER_SECONDS))["msg"] == "psst"


async def test_v2_speaks_through_it_as_well(proxy: Nginx) -> None:
    async with (
        visiting(proxy, "polling", "/v2", "", client_id="7", group_id="g") as (one, heard),
        client(proxy, v3_path("g", "ann"), host="localhost", tls=proxy.tls) as ann,
    ):
        await one.emit("message", {"msg": "hi"}, namespace="/v2")
        assert (await ann.hear())["from_id"] == "v2-7"
        assert await asyncio.wait_for(heard.get(), ANSWER_SECONDS) == {"msg": "hi"}


async def test_no_credential_of_a_poll_is_logged(proxy: Nginx) -> None:
    async with visiting(proxy, "polling", "/v3", "api_key=very-secret", client_id="ann", group_id="g"):
        pass
    assert "/socket.io/" in proxy.access_log
    assert "very-secret" not in proxy.everything_logged
