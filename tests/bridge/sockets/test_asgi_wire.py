"""The slow way, behind uvicorn's own WebSocket protocol, which offers no wire: everything is served as well."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from bridge.config.settings import load
from bridge.runtime.app import create_app
from tests.end_to_end.clients import Client

GROUP_MESSAGE = {"msg_type": "msg", "target": "group", "msg": "hi"}


@pytest.fixture
async def port(redis_url: str, prefix: str) -> AsyncIterator[int]:
    """A bridge on another server: uvicorn as it is."""
    settings = load(
        prefix=prefix, max_message_bytes=1_000, outbox_bytes=4_096, presence_events_members=0, messages_per_second=0
    )
    config = uvicorn.Config(create_app(settings, redis_url), ws="websockets-sansio", log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it by an attribute
            await asyncio.sleep(0.01)
        yield number
        server.should_exit = True
        await serving


def connected(port: int, path: str) -> connect:
    return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, compression=None, max_size=None, ping_interval=None)


async def close_code(connection: ClientConnection) -> int:
    return await Client(connection).close_code()


async def test_both_languages_are_served(port: int) -> None:
    async with connected(port, "/v3/ws/group/g/client/ann") as v3, connected(port, "/ws/group/g/client/42") as v2:
        await v3.send(json.dumps(GROUP_MESSAGE))
        assert (await Client(v3).hear())["msg"] == "hi"
        assert (await Client(v2).hear())["msg"] == "hi"
        await v2.send(b'{"msg": "as bytes"}')
        assert await Client(v2).hear_text() == '{"msg": "as bytes"}'
        assert (await Client(v3).hear())["from_id"] == "v2-42"


@pytest.mark.parametrize(
    ("frame", "code", "close"),
    [(b"\xff\xfe", "binary_not_supported", 1003), ("x" * 1_001, "message_too_big", 1009)],
)
async def test_what_is_refused_is_said_before_the_close(port: int, frame: str | bytes, code: str, close: int) -> None:
    async with connected(port, "/v3/ws/group/g/client/ann") as v3:
        await v3.send(frame)
        assert (await Client(v3).hear())["payload"]["code"] == code
        assert await close_code(v3) == close


async def test_more_than_the_outbox_at_once_makes_a_slow_consumer(port: int) -> None:
    """The bound counts what waits, and one batch may be more than that."""
    async with connected(port, "/v3/ws/group/g/client/ann") as v3:
        for _ in range(40):
            await v3.send(json.dumps({"msg_type": "msg", "target": "echo", "msg": "x" * 500}))
        heard = await Client(v3).hear()
        while heard.get("cmd") != "ERROR":
            heard = await Client(v3).hear()
        assert heard["payload"]["code"] == "slow_consumer"
        assert await close_code(v3) == 4508


async def test_a_client_that_goes_away_is_no_longer_present(port: int) -> None:
    async with connected(port, "/v3/ws/group/g/client/ann") as stays:
        async with connected(port, "/v3/ws/group/g/client/bob"):
            pass
        names = ["ann", "bob"]
        while names != ["ann"]:
            answer = await Client(stays).ask({"msg_type": "presence", "target": "echo"})
            names = [member["client_id"] for member in answer["payload"]["members"]]
