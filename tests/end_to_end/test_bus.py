"""What comes over Redis from elsewhere, and what happens when Redis does not take what is said."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis.asyncio

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import Client, client, denied, eventually, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.servers import BridgeProcess, RedisServer

BARE = {"version": "3", "msg_type": "cmd", "target": "group", "cmd": "RELOAD", "payload": {"force": True}}


@dataclass(frozen=True)
class Listeners:
    """One of each language in one group, and a service that publishes on its channel."""

    v3: Client
    v2: Client
    publisher: redis.asyncio.Redis
    channels: str

    async def publish(self, data: str | bytes, channel: str = "default:g:team") -> None:
        """As any other service would, with redis-py."""
        await self.publisher.publish(f"{self.channels}:{{{channel}}}", data)

    async def hear_nothing_of(self, data: str | bytes) -> None:
        """What comes after it is the next that both hear."""
        await self.publish(data)
        await self.publish(json.dumps(BARE | {"msg": "after it"}))
        assert [(await listener.hear())["msg"] for listener in (self.v3, self.v2)] == ["after it", "after it"]


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=QUIET)


@pytest.fixture(scope="module")
async def listeners(
    anyio_backend: Any, shared: BridgeProcess, redis_url: str, module_prefix: str
) -> AsyncIterator[Listeners]:
    async with AsyncExitStack() as ends:
        publisher = await ends.enter_async_context(redis.asyncio.Redis.from_url(redis_url))
        v3 = await ends.enter_async_context(client(shared, v3_path("team", "ann")))
        v2 = await ends.enter_async_context(client(shared, "/ws/group/team/client/42"))
        yield Listeners(v3, v2, publisher, module_prefix)


@pytest.fixture(autouse=True)
def no_traceback(shared: BridgeProcess) -> Iterator[None]:
    yield
    assert "Traceback" not in shared.log


async def rejected(shared: BridgeProcess) -> float:
    """How many bus messages the process has counted as rejected."""
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{shared.url}/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("bridge_bus_rejected_total"))


WHOLE = BARE | {"from_id": "billing", "group_id": "team", "sent_at": "2026-01-01T00:00:00.000000Z"}
REJECTED: dict[str, str | bytes] = {
    "not UTF-8": b'{"version":"3","msg_type":"msg","target":"group","msg":"\xff"}',
    "not JSON": b"hello",
    "nothing": b"",
    "a newline": b"\n",
    "a pickle": pickle.dumps(BARE),
    "an array": b"[]",
    "another version": json.dumps(BARE | {"version": "4"}),
    "no version": json.dumps({"msg_type": "msg", "target": "group"}),
    "an unknown field": json.dumps(BARE | {"color": "red"}),
    "a wrong type": json.dumps(BARE | {"msg": 7}),
    "a number without end": '{"version":"3","msg_type":"msg","target":"group","payload":{"x":1e400}}',
    "a number that is none": '{"version":"3","msg_type":"msg","target":"group","payload":{"x":NaN}}',
    "half a character of UTF-16": '{"version":"3","msg_type":"msg","target":"group","msg":"\\ud800"}',
    "a V2 text that is not UTF-8": json.dumps(WHOLE).encode() + b"\n\xff",
    "a V2 text after no message": b'hello\n{"msg":"hi"}',
    "ten megabytes": json.dumps(BARE | {"msg": "x" * 10_000_000}),
    "a million brackets": "[" * 300_000,
}


@pytest.mark.parametrize("case", REJECTED)
async def test_what_is_no_message_is_counted_and_not_delivered(
    shared: BridgeProcess, listeners: Listeners, case: str
) -> None:
    before = await rejected(shared)
    await listeners.hear_nothing_of(REJECTED[case])
    assert await rejected(shared) == before + 1


async def test_a_bare_message_reaches_both_languages(listeners: Listeners) -> None:
    await listeners.publish(json.dumps(BARE))
    heard = await listeners.v3.hear()
    assert heard.pop("sent_at").endswith("Z")
    assert heard == BARE | {"from_id": "server", "group_id": ""}
    frame = await listeners.v2.hear()
    assert frame.pop("sent_at").endswith("Z")
    assert frame == {"type": "cmd", "cmd": "RELOAD", "force": True, "client_id": "server", "group_id": ""}


SPELLINGS = {
    "compact": json.dumps(WHOLE, separators=(",", ":")),
    "with spaces": json.dumps(WHOLE),
    "pretty": json.dumps(WHOLE, indent=2),
    "in another order": json.dumps(dict(reversed(WHOLE.items()))),
    "with nulls": json.dumps(WHOLE | {"msg": None, "to_id": None}),
    "with a newline at its end": json.dumps(WHOLE) + "\n",
    "pretty, with a newline at its end": json.dumps(WHOLE, indent=4) + "\n",
    "escaped": json.dumps(WHOLE).replace("RELOAD", "\\u0052ELOAD"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_message_is_understood_in_any_spelling(listeners: Listeners, spelling: str) -> None:
    await listeners.publish(SPELLINGS[spelling])
    heard = await listeners.v3.hear()
    assert {name: value for name, value in heard.items() if value is not None} == WHOLE
    frame = await listeners.v2.hear()
    assert (frame["type"], frame["cmd"], frame["force"], frame["client_id"]) == ("cmd", "RELOAD", True, "billing")


@pytest.mark.parametrize(
    ("target", "channel"), [("group", "default:g:team"), ("direct", "default:c:ann"), ("broadcast", "default:b")]
)
async def test_a_service_may_speak_on_every_channel(listeners: Listeners, target: str, channel: str) -> None:
    to = {"to_id": "ann"} if target == "direct" else {}
    await listeners.publish(json.dumps(WHOLE | {"target": target} | to), channel)
    assert (await listeners.v3.hear())["target"] == target
    if target != "direct":
        assert (await listeners.v2.hear())["cmd"] == "RELOAD"


async def test_a_message_that_was_born_on_v2_is_heard_verbatim(listeners: Listeners) -> None:
    await listeners.publish(json.dumps(WHOLE) + '\n{ "reload" : true }\n\nand more')
    assert await listeners.v2.hear_text() == '{ "reload" : true }\n\nand more'
    assert (await listeners.v3.hear())["cmd"] == "RELOAD"


# What Redis refuses. Each on a Redis of its own, which is broken and mended by its own commands.


@dataclass(frozen=True)
class Trouble:
    """How a Redis is broken, and how it is mended."""

    breaks: tuple[tuple[str | int, ...], ...]
    mends: tuple[tuple[str | int, ...], ...]


TROUBLES = {
    "READONLY": Trouble((("REPLICAOF", "127.0.0.1", 1),), (("REPLICAOF", "NO", "ONE"),)),
    "OOM": Trouble((("CONFIG", "SET", "maxmemory", 1),), (("CONFIG", "SET", "maxmemory", 0),)),
    "NOPERM": Trouble((("ACL", "SETUSER", "default", "-publish"),), (("ACL", "SETUSER", "default", "+publish"),)),
    "NOPERM on channels": Trouble(
        (("ACL", "SETUSER", "default", "resetchannels"),),
        (("ACL", "SETUSER", "default", "allchannels"),),
    ),
}


def code_of(frame: dict[str, Any]) -> str | None:
    """The code of a refusal in either language, `None` for a message."""
    code = frame.get("bridge", {}).get("error") or frame.get("payload", {}).get("code")
    return None if code is None else str(code)


async def is_ready(bridge: BridgeProcess) -> bool:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{bridge.url}/readyz")).status_code == 200


async def until_ready(bridge: BridgeProcess, *, ready: bool) -> None:
    """Readiness follows within a few seconds, whether anyone speaks or not."""

    async def holds() -> bool:
        return await is_ready(bridge) is ready

    await eventually(holds)


async def say_until(speaker: Client, message: dict[str, Any], code: str | None) -> None:
    """Say it again and again, until that is what comes of it."""

    async def holds() -> bool:
        return code_of(await speaker.ask(message)) == code

    await eventually(holds)


@pytest.mark.parametrize("name", TROUBLES)
async def test_what_redis_refuses_is_not_pretended_to_be_said(
    bridge: StartBridge, redis_server: StartRedis, name: str
) -> None:
    trouble, server = TROUBLES[name], redis_server("--maxmemory-policy", "noeviction")
    process = bridge(config=QUIET, redis=server.url)
    said = {"v3": {"msg_type": "msg", "target": "group"}, "v2": {"msg": "hi"}}
    async with client(process, v3_path("team", "ann")) as v3, client(process, "/ws/group/lobby/client/42") as v2:
        for command in trouble.breaks:
            server.execute(*command)
        await until_ready(process, ready=False)
        for speaker, message in ((v3, said["v3"]), (v2, said["v2"])):
            assert code_of(await speaker.ask(message)) == "bus_down"
        answer = await denied(process, "/ws/43")
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert await posted(process, said["v3"]) == (503, "bus_down")
        for command in trouble.mends:
            server.execute(*command)
        await until_ready(process, ready=True)
        await say_until(v3, said["v3"], None)
        await say_until(v2, said["v2"], None)


async def posted(bridge: BridgeProcess, said: dict[str, Any]) -> tuple[int, str]:
    """What a backend is answered."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{bridge.url}/v3/messages", json=said)
    return answer.status_code, answer.json().get("code", "")


async def are_present(bridge: BridgeProcess, *clients: str) -> bool:
    """Whether these clients, and nobody else, are members of the group."""
    async with httpx.AsyncClient() as http:
        found = (await http.get(f"{bridge.url}/v3/presence/group/team")).json()["members"]
    return [member["client_id"] for member in found] == list(clients)


async def test_who_came_before_redis_took_no_presence_is_present_afterwards_and_nobody_comes_meanwhile(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    server = redis_server()
    process = bridge(config=QUIET, redis=server.url)
    async with client(process, v3_path("team", "ann")):
        server.execute("REPLICAOF", "127.0.0.1", 1)
        await until_ready(process, ready=False)
        assert (await denied(process, "/ws/group/team/client/42")).status_code == 503
        server.execute("REPLICAOF", "NO", "ONE")
        await until_ready(process, ready=True)
        async with client(process, "/ws/group/team/client/42"):
            await eventually(lambda: are_present(process, "ann", "v2-42"), seconds=20)


async def test_a_bridge_recovers_though_nobody_speaks(bridge: StartBridge, redis_server: StartRedis) -> None:
    server = redis_server()
    process = bridge(config=QUIET, redis=server.url)
    async with client(process, v3_path("team", "ann")) as ann:
        server.execute("ACL", "SETUSER", "default", "-publish")
        assert code_of(await ann.ask({"msg_type": "msg", "target": "group"})) == "bus_down"
    server.execute("ACL", "SETUSER", "default", "+publish")
    await until_ready(process, ready=True)
    async with client(process, v3_path("team", "ann")) as ann:
        assert await ann.is_served()


async def test_a_redis_that_is_loading_is_waited_for(bridge: StartBridge, redis_server: StartRedis) -> None:
    """Its loading takes half a second: 250 keys, and a pause for each."""
    slowly = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    server = redis_server("--enable-debug-command", "local", *slowly)
    process = bridge(config=QUIET + UNHURRIED, redis=server.url)
    server.execute("DEBUG", "POPULATE", 250)
    async with client(process, v3_path("team", "ann")) as ann:
        loading = asyncio.create_task(asyncio.to_thread(server.execute, "DEBUG", "RELOAD"))
        await until_loading(server)
        while not loading.done():
            assert code_of(await ann.ask({"msg_type": "msg", "target": "group"})) in (None, "bus_down")
        await until_ready(process, ready=True)
        await say_until(ann, {"msg_type": "msg", "target": "group"}, None)


async def until_loading(server: RedisServer) -> None:
    async def is_loading() -> bool:
        return bool((await asking.info("persistence"))["loading"])

    async with redis.asyncio.Redis.from_url(server.url) as asking:
        await eventually(is_loading)


async def test_two_databases_of_one_redis_under_one_prefix_do_not_hear_each_other(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    """Channels are those of the whole server: the number of the database, 0 excepted, is part of their names."""
    server = redis_server()
    production = bridge(config=QUIET, redis=server.url)
    staging = bridge(config=QUIET, redis=server.url.removesuffix("0") + "2")
    async with (
        client(production, v3_path("team", "ann")) as in_production,
        client(staging, v3_path("team", "ann")) as in_staging,
        redis.asyncio.Redis.from_url(server.url) as publisher,
    ):
        prefix = production.additions["BRIDGE_PREFIX"]
        for name, here, elsewhere in ((prefix, in_production, in_staging), (f"{prefix}@2", in_staging, in_production)):
            assert await publisher.publish(f"{name}:{{default:g:team}}", json.dumps(BARE)) == 1
            assert (await here.hear())["cmd"] == "RELOAD"
            heard = await elsewhere.ask({"msg_type": "msg", "target": "group", "msg": "mine"})
            assert heard["msg"] == "mine"
