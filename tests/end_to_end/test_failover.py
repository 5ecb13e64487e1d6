"""A Redis that fails over, in all its forms: both processes follow, and what may be lost is announced, once.

The old server lives on in each of them. Numbered messages are said all the while, as in `test_faults.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import denied, eventually
from tests.end_to_end.talk import talking
from tests.end_to_end.test_faults import CONFIG, Clocked, behind_proxies, clocked_talk, holds, ready, started
from tests.proxy import Proxy
from tests.servers import BridgeProcess, RedisServer
from tests.stopwatch import within

NOTICED_SECONDS = 10.0
"""Patience: on an idle machine it is noticed in less than two."""
BACK_SECONDS = 20.0


@dataclass(frozen=True)
class Pair:
    """Two processes at one Redis, each with an address of its own that can lead elsewhere; and another Redis."""

    old: RedisServer
    new: RedisServer
    proxies: list[Proxy]
    bridges: list[BridgeProcess]
    conversation: Clocked

    async def ask(self, server: RedisServer, *command: str | int) -> None:
        await asyncio.to_thread(server.execute, *command)

    def move(self, *proxies: Proxy) -> None:
        for proxy in proxies or self.proxies:
            proxy.lead_to(self.new.port)

    async def all_hear(self, *speakers: int) -> None:
        """Everybody hears each of these speakers, who are of different processes."""
        for number in speakers or (0, 1):
            await self.conversation.until_all_hear(self.conversation.members[number], BACK_SECONDS)

    async def all_are_at(self, server: RedisServer) -> None:
        async def arrived() -> bool:
            listeners = str(await asyncio.to_thread(server.execute, "CLIENT", "LIST", "TYPE", "pubsub")).splitlines()
            return len(listeners) == len(self.bridges)

        await eventually(arrived, BACK_SECONDS)

    async def all_read_the_moves(self) -> None:
        """What others said elsewhere is announced: each process has read the notes since all have written theirs."""

        async def announced() -> bool:
            return self.unannounced_to_others() == []

        await eventually(announced, BACK_SECONDS)

    def unannounced_to_others(self) -> list[tuple[str, str, int]]:
        """Listener, speaker and number of what the speaker's own process heard, and the listener did not."""
        members = self.conversation.members
        return [
            (listener.name, speaker.name, number)
            for listener in members
            for speaker in members
            for number in set(speaker.heard[speaker.name]) - set(listener.heard[speaker.name])
            if not self.conversation.is_covered(listener, speaker.name, number)
        ]

    def nobody_is_told_of_a_gap(self) -> bool:
        return [member.gaps for member in self.conversation.members] == [0] * len(self.conversation.members)


@pytest.fixture
async def pair(bridge: StartBridge, redis_server: StartRedis) -> AsyncIterator[Pair]:
    old, new = redis_server(), redis_server()
    async with behind_proxies(old) as proxies:
        bridges = started(bridge, proxies, "v2_replay = true\n" + CONFIG)  # then what all of V2 hears is kept, too
        await ready(*bridges)
        async with clocked_talk(*bridges) as conversation:
            pair = Pair(old, new, proxies, bridges, conversation)
            await pair.all_hear()
            yield pair
            await ready(*bridges)  # what each of them missed is announced
            await pair.all_read_the_moves()
            await pair.all_hear(*range(len(conversation.members)))  # so that nothing is under way
            holds(conversation)
            assert pair.unannounced_to_others() == []
        await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in bridges))


async def readiness(bridge: BridgeProcess) -> tuple[int, str]:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{bridge.url}/readyz")
    return answer.status_code, " ".join(answer.json()["trouble"])


async def until_not_ready(bridges: Sequence[BridgeProcess], reason: str) -> None:
    async def holds_for_all() -> bool:
        answers = [await readiness(bridge) for bridge in bridges]
        return all(code == 503 and reason in trouble for code, trouble in answers)

    await eventually(holds_for_all, NOTICED_SECONDS)


@asynccontextmanager
async def everybody_talks(pair: Pair) -> AsyncIterator[None]:
    """All the while, one client of each process and language says numbers."""
    async with talking(pair.conversation, pair.conversation.members[2:]):
        yield


REFUSALS = {
    "demoted": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), "READONLY"),
    "full": (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), "OOM"),
    "not permitted": (("ACL", "SETUSER", "default", "-zadd"), ("ACL", "SETUSER", "default", "+zadd"), "NOPERM"),
    "too few replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", 3),
        ("CONFIG", "SET", "min-replicas-to-write", 0),
        "NOREPLICAS",
    ),
}


@pytest.mark.parametrize("how", REFUSALS)
async def test_a_redis_that_refuses_writes_while_links_stay_is_down_until_it_takes_them(pair: Pair, how: str) -> None:
    breaks, mends, reason = REFUSALS[how]
    async with everybody_talks(pair):
        await pair.ask(pair.old, *breaks)
        await until_not_ready(pair.bridges, reason)
        for bridge in pair.bridges:
            assert (await denied(bridge, "/ws/43")).status_code == 503
        speaker = pair.conversation.members[0]
        await pair.conversation.say_next(speaker)
        await speaker.until(lambda member: "bus_down" in member.refusals, NOTICED_SECONDS)
        await pair.ask(pair.old, *mends)
        await pair.all_hear()
    await pair.all_hear()
    assert pair.nobody_is_told_of_a_gap()


async def test_a_replica_that_answers_masterdown_has_lost_nothing_when_it_is_over(pair: Pair) -> None:
    await pair.ask(pair.old, "CONFIG", "SET", "replica-serve-stale-data", "no")
    await pair.ask(pair.old, "REPLICAOF", "127.0.0.1", 1)
    await until_not_ready(pair.bridges, "MASTERDOWN")
    await asyncio.sleep(3)  # so long it would flap
    assert [member.gaps for member in pair.conversation.members] == [0] * 6
    await pair.ask(pair.old, "REPLICAOF", "NO", "ONE")
    await pair.all_hear()
    assert pair.nobody_is_told_of_a_gap()


async def test_a_promoted_replica_is_followed_and_so_is_the_way_back(pair: Pair) -> None:
    """Rolling: the replica is promoted, the address follows, the old master is demoted; then all of it back."""
    old, new = pair.old, pair.new
    async with everybody_talks(pair):
        for master, replica in ((old, new), (new, old)):
            await pair.ask(replica, "REPLICAOF", "127.0.0.1", master.port)
            await asyncio.to_thread(replica.wait_until, partial(is_replica, replica), "be a replica")
            await pair.ask(replica, "REPLICAOF", "NO", "ONE")
            for proxy in pair.proxies:
                proxy.lead_to(replica.port)
            await pair.ask(master, "REPLICAOF", "127.0.0.1", replica.port)
            await pair.all_are_at(replica)
            await pair.all_hear()


def is_replica(server: RedisServer) -> bool:
    return "master_link_status:up" in str(server.execute("INFO", "replication")).replace("'", "").replace(": ", ":")


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_when_one_link_of_a_process_is_at_another_server_both_follow(pair: Pair, kind: str) -> None:
    async with everybody_talks(pair):
        pair.move()
        await pair.ask(pair.old, "CLIENT", "KILL", "TYPE", kind)
        await pair.all_are_at(pair.new)
        await pair.all_hear()


@pytest.mark.parametrize("moved", [1, 2])
async def test_an_address_that_names_another_server_is_followed_while_the_old_one_lives(pair: Pair, moved: int) -> None:
    """No link is lost: nobody would notice, and the processes would not hear each other."""
    async with everybody_talks(pair):
        pair.move(*pair.proxies[:moved])
        await asyncio.sleep(1)
        pair.move()
        await pair.all_are_at(pair.new)
        await pair.all_hear()


async def test_an_address_at_which_nobody_takes_writes_is_not_followed(pair: Pair) -> None:
    """Links that work are better than none: also where the name already names a replica that is not promoted yet."""
    await pair.ask(pair.new, "REPLICAOF", "127.0.0.1", pair.old.port)
    pair.move()
    await asyncio.sleep(3)  # so long the address would be followed
    await pair.all_hear()
    assert [member.gaps for member in pair.conversation.members] == [0] * 6


async def test_a_password_that_changes_costs_only_those_links_that_are_made_anew(pair: Pair) -> None:
    await pair.ask(pair.old, "CONFIG", "SET", "requirepass", "another")
    await asyncio.sleep(2)  # so long the links that are open would be ended
    await pair.all_hear()
    assert [member.gaps for member in pair.conversation.members] == [0] * 6
    with_password = RedisServer(pair.old.directory / "password")
    with_password.url = f"redis://:another@127.0.0.1:{pair.old.port}/0"
    await pair.ask(with_password, "CLIENT", "KILL", "TYPE", "pubsub")
    await pair.ask(with_password, "CLIENT", "KILL", "TYPE", "normal")
    await until_not_ready(pair.bridges, "Authentication required")
    await pair.ask(with_password, "CONFIG", "SET", "requirepass", "")
    await pair.all_hear()
    assert pair.nobody_is_told_of_a_gap()


async def test_who_is_there_is_not_called_absent_while_its_process_does_not_hear(pair: Pair) -> None:
    """One link only: what is said reaches Redis, and nobody listens for the recipient there."""
    speaker, recipient = pair.conversation.members[:2]  # of two processes
    await pair.ask(pair.old, "ACL", "SETUSER", "default", "-subscribe")
    await pair.ask(pair.old, "CLIENT", "KILL", "TYPE", "pubsub")
    await until_not_ready(pair.bridges, "NOPERM")
    await speaker.own.say({"msg_type": "msg", "target": "direct", "to_id": recipient.name, "msg": "hi"})
    await speaker.until(lambda member: member.refusals, NOTICED_SECONDS)
    assert speaker.refusals == ["bus_down"]
    await pair.ask(pair.old, "ACL", "SETUSER", "default", "+subscribe")
    await pair.all_hear()
    async with within(BACK_SECONDS):
        while speaker.refusals[-1] != "not_connected":
            told = len(speaker.refusals)
            await speaker.own.say({"msg_type": "msg", "target": "direct", "to_id": "nobody", "msg": "hi"})
            await speaker.until(lambda member, told=told: len(member.refusals) > told, NOTICED_SECONDS)
    assert pair.nobody_is_told_of_a_gap()
