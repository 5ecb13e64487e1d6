"""Who is present: while any connection lives, with one JOIN and one LEAVE, whatever Redis and the others do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker import presence as presence_module
from bridge.broker.addresses import Addresses
from bridge.broker.presence import CHECK_SECONDS, EXPIRY_MARGIN_SECONDS, HELD, LEAVE
from tests.bridge.broker.parts import ANSWER_SECONDS, Answers, until, until_true
from tests.bridge.broker.people import (
    GROUP,
    TENANT,
    Process,
    Witness,
    place,
    running_process,
    witnessing,
)
from tests.conftest import StartRedis
from tests.proxy import proxy_to
from tests.servers import RedisServer

ANN, BEN = place("ann"), place("ben")
LIFETIME_SECONDS = 3
HEARTBEAT_SECONDS = 0.3  # a machine that stalls for two seconds and more is still in time


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    async with running_process(redis_url, prefix) as running:
        yield running


@pytest.fixture
async def witness(redis_url: str, prefix: str) -> AsyncIterator[Witness]:
    async with witnessing(redis_url, prefix) as listening:
        yield listening


def keys(prefix: str, group: str = GROUP) -> tuple[str, str]:
    return Addresses(prefix).presence(TENANT, group), Addresses(prefix).holders(TENANT, group)


async def test_the_first_connection_joins_and_the_last_one_leaves(process: Process, witness: Witness) -> None:
    await process.enter(ANN)
    await process.enter(ANN)
    assert await process.members() == [("ann", "v3")]
    await process.leave(ANN)
    assert await process.members() == [("ann", "v3")]
    await process.leave(ANN)
    assert await process.members() == []
    assert await witness.heard_of(process) == [("JOIN", "ann"), ("LEAVE", "ann")]


async def is_empty(process: Process) -> bool:
    """A process is told of who leaves another one by its next question to Redis."""
    return not await process.clients()


async def test_an_event_says_who_and_since_when(process: Process, witness: Witness) -> None:
    await process.enter(place("ann", "v2"))
    joined = await witness.next()
    answers = Answers()
    process.presence.members(TENANT, GROUP, answers)
    (member,) = json.loads(await answers.next())
    assert joined["payload"] == member == {"client_id": "ann", "protocol": "v2", "since": member["since"]}
    assert (joined["msg_type"], joined["target"], joined["group_id"]) == ("presence", "group", GROUP)


async def test_a_client_of_two_protocols_is_present_until_both_have_left(process: Process, witness: Witness) -> None:
    await process.enter(place("ann", "v2"))
    await process.enter(ANN)
    assert await process.members() == [("ann", "v2")]
    await process.leave(place("ann", "v2"))
    assert await process.members() == [("ann", "v3")]
    await process.leave(ANN)
    assert await process.members() == []
    assert await witness.heard_of(process) == [("JOIN", "ann"), ("LEAVE", "ann")]


async def test_a_client_of_two_processes_is_present_until_both_have_left(
    redis_url: str, prefix: str, process: Process, witness: Witness
) -> None:
    async with running_process(redis_url, prefix, "p2") as other:
        await process.enter(ANN)
        assert await witness.event() == ("JOIN", "ann")
        await other.enter(ANN)
        await process.leave(ANN)
        assert await process.clients() == ["ann"]
        await other.leave(ANN)
        await until_true(lambda: is_empty(process))
        assert await witness.heard_of(process, other) == [("LEAVE", "ann")]


async def test_clients_whose_names_begin_alike_are_different_clients(process: Process, witness: Witness) -> None:
    alike = [place(name) for name in ("ann", "anna", "ann-", "ann_", "an", "ANN", "ann0")]
    await process.enter(*alike)
    for number, each in enumerate(alike):
        await process.leave(each)
        assert await process.clients() == sorted(other.client for other in alike[number + 1 :])
    assert len(await witness.heard_of(process)) == 2 * len(alike)


async def test_groups_do_not_know_each_other(process: Process) -> None:
    await process.enter(ANN, place("ann", group="other"), place("ben", group="other"))
    await process.leave(ANN)
    assert await process.clients() == []
    assert await process.clients("other") == ["ann", "ben"]


async def test_a_client_that_comes_and_goes_at_once_leaves_nothing(
    process: Process, witness: Witness, redis: Redis, prefix: str
) -> None:
    for _ in range(20):
        process.presence.enter(ANN, Answers())
        process.presence.leave(ANN)
    await process.settled()
    assert await redis.exists(*keys(prefix)) == 0
    assert await witness.heard_of(process) == [("JOIN", "ann"), ("LEAVE", "ann")] * 20


async def test_what_was_never_here_can_leave_and_be_refreshed(process: Process, witness: Witness) -> None:
    process.presence.leave(ANN)
    process.presence.refresh(ANN)
    process.presence.touch(ANN)
    assert await process.clients() == []
    assert await witness.heard_of(process) == []


async def test_the_last_client_of_a_process_is_waited_for(process: Process) -> None:
    await asyncio.wait_for(process.presence.wait_until_empty(), ANSWER_SECONDS)
    await process.enter(ANN, BEN)
    waiting = asyncio.create_task(process.presence.wait_until_empty())
    await process.leave(ANN)
    assert not waiting.done()
    await process.leave(BEN)
    await asyncio.wait_for(waiting, ANSWER_SECONDS)


async def test_without_redis_nobody_knows_who_is_here(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with running_process(server.url, prefix) as process:
        server.kill()
        await until(lambda: not process.bus.is_up)
        answers, entered = Answers(), Answers()
        process.presence.members(TENANT, GROUP, answers)
        process.presence.enter(ANN, entered)
        assert await answers.next() is None
        await entered.next()
        assert process.presence.failures == 1


async def test_who_is_not_refreshed_for_a_lifetime_leaves_and_joins_with_the_next_heartbeat(
    redis_url: str, prefix: str, witness: Witness
) -> None:
    async with running_process(redis_url, prefix, lifetime_seconds=1) as process:
        await process.enter(ANN)
        assert await witness.event() == ("JOIN", "ann")
        assert await witness.event() == ("LEAVE", "ann")
        assert await process.clients() == []
        await process.refresh(ANN)
        assert await witness.event() == ("JOIN", "ann")
        await process.leave(ANN)
        assert await witness.heard_of(process) == [("LEAVE", "ann")]


async def test_who_left_already_by_its_time_leaves_quietly(redis_url: str, prefix: str, witness: Witness) -> None:
    async with running_process(redis_url, prefix, lifetime_seconds=1) as process:
        await process.enter(ANN)
        assert [await witness.event(), await witness.event()] == [("JOIN", "ann"), ("LEAVE", "ann")]
        await process.leave(ANN)
        assert await witness.heard_of(process) == []


async def test_heartbeats_keep_a_client_present(redis_url: str, prefix: str, witness: Witness) -> None:
    async with running_process(redis_url, prefix, lifetime_seconds=LIFETIME_SECONDS) as process:
        await process.enter(ANN, BEN)
        while "ben" in await process.clients():
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await process.refresh(ANN)
        assert await process.clients() == ["ann"]
        assert ("LEAVE", "ann") not in await witness.heard_of(process)


async def test_what_another_connection_refreshes_does_not_leave(redis_url: str, prefix: str, witness: Witness) -> None:
    async with (
        running_process(redis_url, prefix, "idle", lifetime_seconds=LIFETIME_SECONDS) as idle,
        running_process(redis_url, prefix, "busy", lifetime_seconds=LIFETIME_SECONDS) as busy,
    ):
        await idle.enter(ANN)
        await busy.enter(ANN)
        looked_at = asyncio.get_running_loop().time() + LIFETIME_SECONDS + EXPIRY_MARGIN_SECONDS + CHECK_SECONDS
        while asyncio.get_running_loop().time() < looked_at:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await busy.refresh(ANN)
        assert await idle.clients() == ["ann"]
        await idle.refresh(ANN)
        assert await witness.heard_of(idle, busy) == [("JOIN", "ann")]


async def test_traffic_refreshes_only_when_that_is_worth_a_command(
    redis_url: str, prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_process(redis_url, prefix, lifetime_seconds=60) as process:
        await process.enter(ANN)
        await redis.zadd(keys(prefix)[0], {"ann": 1})
        process.presence.touch(ANN)
        await process.settled()
        assert await redis.zscore(keys(prefix)[0], "ann") == 1
        monkeypatch.setattr(presence_module, "TOUCHES_PER_LIFETIME", 60_000)
        await asyncio.sleep(0.01)
        process.presence.touch(ANN)
        await process.settled()
        assert (await redis.zscore(keys(prefix)[0], "ann") or 0) > 1


async def test_an_expiry_that_redis_did_not_answer_is_tried_again(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with (
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix, lifetime_seconds=1) as process,
        witnessing(server.url, prefix) as witness,
    ):
        await process.enter(ANN)
        assert await witness.event() == ("JOIN", "ann")
        proxy.up.hold()
        await until(lambda: process.presence.failures > 0)
        proxy.reset()
        proxy.up.let_go()
        assert await witness.event() == ("LEAVE", "ann")
        assert await witness.heard_of(process) == []


async def test_what_redis_forgot_is_written_again_quietly(
    process: Process, witness: Witness, redis: Redis, prefix: str
) -> None:
    await process.enter(ANN, BEN, place("ann", group="other"))
    assert len(await witness.heard_of(process)) == 2
    await redis.delete(*keys(prefix), *keys(prefix, "other"), Addresses(prefix).held_by("p1"))
    process.presence.rebuild()
    assert await process.clients() == ["ann", "ben"]
    assert await process.clients("other") == ["ann"]
    assert await redis.smembers(Addresses(prefix).held_by("p1")) == {b"acme:team", b"acme:other"}
    assert await witness.heard_of(process) == []


async def test_many_entries_are_written_again_in_chunks(
    process: Process, redis: Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_module, "CHUNK", 10)
    await process.enter(*(place(f"c{number}") for number in range(35)))
    await redis.delete(*keys(prefix))
    process.presence.rebuild()
    await asyncio.sleep(0.01)
    await process.settled()
    assert len(await process.clients()) == 35


async def test_writing_again_is_no_sign_of_life(redis_url: str, prefix: str, witness: Witness) -> None:
    async with running_process(redis_url, prefix, lifetime_seconds=1) as process:
        await process.enter(ANN)
        assert await witness.event() == ("JOIN", "ann")
        left = asyncio.create_task(witness.event())
        while not left.done():  # and it would never be, if it were one
            process.presence.rebuild()
            await asyncio.wait([left], timeout=0.1)
        assert left.result() == ("LEAVE", "ann")


async def test_a_heartbeat_after_redis_forgot_is_no_join(
    process: Process, witness: Witness, redis: Redis, prefix: str
) -> None:
    await process.enter(ANN)
    assert await witness.heard_of(process) == [("JOIN", "ann")]
    await redis.delete(*keys(prefix))
    await process.refresh(ANN)
    await process.enter(ANN)
    assert await process.clients() == ["ann"]
    assert await witness.heard_of(process) == []


@pytest.mark.parametrize("which", ["presence", "holders", "both"])
@pytest.mark.parametrize("how", ["deleted", "another type"])
async def test_a_key_that_somebody_spoiled_is_mended_by_itself(
    process: Process, witness: Witness, redis: Redis, prefix: str, which: str, how: str
) -> None:
    await process.enter(ANN, BEN)
    assert len(await witness.heard_of(process)) == 2
    ours: Any = await redis.zrange(keys(prefix)[1], 0, -1)
    spoiled = {"presence": keys(prefix)[:1], "holders": keys(prefix)[1:], "both": keys(prefix)}[which]
    for key in spoiled:
        await redis.delete(key)
        if how == "another type":
            await redis.set(key, "spoiled")

    async def is_whole() -> bool:
        answers = Answers()
        whole = [word for holder in ours for word in (holder.split(b":")[0], holder)]
        HELD.run(process.bus, list(keys(prefix)), whole, answers)
        return bool(await answers.next() == 2)

    await until_true(is_whole)
    assert await process.clients() == ["ann", "ben"]
    assert await witness.heard_of(process) == []


async def test_word_of_our_groups_that_somebody_spoiled_is_left_again(
    process: Process, redis: Redis, prefix: str
) -> None:
    await process.enter(ANN)
    held_by = Addresses(prefix).held_by("p1")
    await redis.delete(held_by)
    await redis.set(held_by, "spoiled")

    async def is_set() -> bool:
        return bool(await redis.type(held_by) == b"set")

    await until_true(is_set)
    assert await redis.smembers(held_by) == {b"acme:team"}


async def test_word_of_a_group_is_taken_back_with_its_last_client(process: Process, redis: Redis, prefix: str) -> None:
    held_by = Addresses(prefix).held_by("p1")
    await process.enter(ANN, BEN)
    await process.leave(ANN)
    assert await redis.smembers(held_by) == {b"acme:team"}
    await process.leave(BEN)
    assert await redis.smembers(held_by) == set()


async def test_a_holder_that_is_none_of_ours_is_passed_over(process: Process, redis: Redis, prefix: str) -> None:
    await process.enter(ANN)
    await redis.zadd(keys(prefix)[1], {b"spoiled": 0, b"a:b:v3:never": 0, b"\xff:p:v3:1": 0})
    await redis.zadd(keys(prefix)[0], {b"spoiled": 9e12})
    assert await process.clients() == ["ann"]


@pytest.fixture
def server(redis_server: StartRedis) -> RedisServer:
    return redis_server()


async def test_a_client_that_came_while_redis_was_away_joins_when_it_is_back(server: RedisServer, prefix: str) -> None:
    async with running_process(server.url, prefix) as process, witnessing(server.url, prefix) as witness:
        server.kill()
        await until(lambda: not process.bus.is_up)
        await process.enter(ANN, ANN)
        server.start()
        assert await witness.event() == ("JOIN", "ann")
        assert await process.clients() == ["ann"]
        assert await witness.heard_of(process) == []


async def test_a_client_that_left_while_redis_was_away_leaves_when_it_is_back(server: RedisServer, prefix: str) -> None:
    """Its entry is not forgotten in Redis: nobody waits an hour for a ghost."""
    async with (
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix) as process,
        witnessing(server.url, prefix) as witness,
    ):
        await process.enter(ANN, BEN)
        assert len(await witness.heard_of(process)) == 2
        proxy.up.hold()
        process.presence.leave(ANN)
        await until(lambda: not process.bus.is_up)
        process.presence.leave(BEN)
        process.presence.enter(BEN, Answers())
        proxy.reset()
        proxy.up.let_go()
        assert (await witness.event(), await process.clients()) == (("LEAVE", "ann"), ["ben"])
        assert await witness.heard_of(process) == []


async def test_what_redis_did_without_telling_is_said_once(server: RedisServer, prefix: str) -> None:
    """The answers are lost: JOIN and LEAVE are due, for nobody else can say them."""
    async with (
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix) as process,
        witnessing(server.url, prefix) as witness,
    ):
        await process.enter(ANN, place("cat"))
        await process.leave(place("cat"))
        assert len(await witness.heard_of(process)) == 3
        proxy.down.hold()
        process.presence.leave(ANN)
        process.presence.enter(BEN, Answers())
        await until(lambda: server.execute("ZRANGE", keys(prefix)[0], 0, -1) == ["ben"])
        proxy.reset()
        proxy.down.let_go()
        assert {await witness.event(), await witness.event()} == {("LEAVE", "ann"), ("JOIN", "ben")}
        assert await process.clients() == ["ben"]
        assert await witness.heard_of(process) == []


async def test_a_client_of_another_process_too_is_not_said_to_have_come_or_gone(
    server: RedisServer, prefix: str
) -> None:
    async with (
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix) as process,
        running_process(server.url, prefix, "p2") as other,
        witnessing(server.url, prefix) as witness,
    ):
        await other.enter(ANN, BEN)
        await process.enter(ANN)
        assert len(await witness.heard_of(other)) == 2
        proxy.down.hold()
        process.presence.leave(ANN)
        process.presence.enter(BEN, Answers())
        await until(lambda: not process.bus.is_up)
        proxy.reset()
        proxy.down.let_go()
        await until(lambda: process.bus.is_up)
        await process.settled()
        assert await process.clients() == ["ann", "ben"]
        assert await witness.heard_of(process) == []


async def test_a_script_that_redis_forgot_leaves_no_ghost(server: RedisServer, prefix: str) -> None:
    """ENTER is tried again after LEAVE, which Redis knew."""
    async with running_process(server.url, prefix) as process, witnessing(server.url, prefix) as witness:
        server.execute("SCRIPT", "LOAD", LEAVE.source)
        process.presence.enter(ANN, Answers())
        await process.leave(ANN)
        assert await process.clients() == []
        assert server.execute("EXISTS", *keys(prefix)) == 0
        assert await witness.heard_of(process) == [("JOIN", "ann"), ("LEAVE", "ann")]
