"""A publishing link is used once Redis takes a write on it, and once the link before it can say nothing more."""

from __future__ import annotations

import pytest

from bridge.broker.commands import pack
from bridge.broker.link import open_link, pool
from bridge.broker.refusal import LinkError
from bridge.broker.trial import WriteTrial, refusal_of_write, write_nothing
from tests.bridge.broker.parts import Answers, running_bus, until
from tests.bridge.broker.test_bus import everything_heard, listening
from tests.conftest import StartRedis
from tests.proxy import proxy_to, stopping_proxy
from tests.servers import RedisServer

REFUSALS = {
    "READONLY": ("REPLICAOF", "127.0.0.1", 1),
    "OOM": ("CONFIG", "SET", "maxmemory", 1),
    "NOREPLICAS": ("CONFIG", "SET", "min-replicas-to-write", 1),
    "NOPERM": ("ACL", "SETUSER", "default", "-publish"),
}


@pytest.fixture
def server(redis_server: StartRedis) -> RedisServer:
    return redis_server()


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_link_on_which_redis_refuses_is_none(server: RedisServer, refusal: str) -> None:
    server.execute(*REFUSALS[refusal])
    lost = Answers()
    with pytest.raises(LinkError) as raised:
        await open_link(pool(server.url, "test-trial"), Answers(), lost, WriteTrial(b"probe"))
    assert str(raised.value.refusal).startswith(refusal)
    assert lost.empty()
    await until(lambda: "test-trial" not in str(server.execute("CLIENT", "LIST")))


async def test_a_write_of_nothing_leaves_nothing_and_is_not_replicated(server: RedisServer) -> None:
    replies = Answers()
    link = await open_link(pool(server.url, "test-trial"), replies, Answers(), WriteTrial(b"probe"))
    link.write(write_nothing(b"probe"))
    assert await replies.next() == [0]
    assert server.execute("DBSIZE") == 0
    assert server.execute("INFO", "persistence")["rdb_changes_since_last_save"] == 0  # type: ignore[index]
    link.end()


async def test_another_type_under_the_key_is_no_refusal(server: RedisServer) -> None:
    server.execute("SET", "probe", "x")
    async with running_bus(server.url, probe=b"probe") as bus:
        for _ in range(3):
            await bus.wait_until_answered()
        assert (bus.is_up, bus.reconnects) == (True, 0)
    assert refusal_of_write(ValueError("no error of Redis")) is None


async def test_a_server_that_does_not_answer_is_given_up(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy:
        links = pool(proxy.url, "test-trial")
        trial = WriteTrial(b"probe")
        link = await open_link(links, Answers(), Answers(), trial)
        link.end()
        trial._questions.append(pack("BLPOP", "nothing", 0))
        with pytest.raises(LinkError, match="no answer"):
            await open_link(links, Answers(), Answers(), trial)


async def test_what_an_ended_link_left_on_the_way_is_never_said(server: RedisServer) -> None:
    """A proxy that stands still has it in its kernel, and delivers it when it goes on, though its client has reset."""
    async with listening(server.url, b"c") as heard:
        with stopping_proxy(server.port) as proxy:
            async with running_bus(f"redis://127.0.0.1:{proxy.port}/0") as bus:
                await bus.wait_until_answered()
                proxy.stop()
                receipts = Answers()
                for number in range(5):
                    bus.publish([b"c"], b"late %d" % number, receipts)
                assert [await receipts.next() for _ in range(5)] == [None] * 5
                await until(lambda: bus.is_up)
                bus.publish([b"c"], b"in time", receipts)
                assert await receipts.next() == 1
                proxy.go_on()
                assert await everything_heard(heard, 1.0) == [b"in time"]
