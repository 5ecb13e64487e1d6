"""A Redis that fails over, in all its forms, while the old server lives on: both processes follow, and lose nothing.

Each process has an address of its own that can lead elsewhere: a proxy.
"""

from __future__ import annotations

import asyncio
from functools import partial

from tests.end_to_end.clients import eventually
from tests.faults.scene import BASELINE_SECONDS, Scene, Staged, row
from tests.proxy import Proxy
from tests.servers import RedisServer

STAGED = Staged(proxied=True, has_another=True)
FOLLOWED_SECONDS = 20.0
"""On an idle machine two."""


def move(scene: Scene, *proxies: Proxy) -> None:
    for proxy in proxies:
        proxy.lead_to(scene.another.port)


async def all_are_at(scene: Scene, server: RedisServer) -> None:
    async def arrived() -> bool:
        listeners = await asyncio.to_thread(server.execute, "CLIENT", "LIST", "TYPE", "pubsub")
        return len(str(listeners).splitlines()) == len(scene.bridges)

    async with scene.law("followed", FOLLOWED_SECONDS):
        await eventually(arrived, BASELINE_SECONDS)
        await scene.all_hear()
    await scene.ask_at(server)


@row(staged=STAGED)
async def test_a_replica_answers_masterdown_to_everything(scene: Scene) -> None:
    """B17, B23: nothing flaps, and who missed something is told once, when it is over."""
    await scene.all_hear()
    await scene.ask_redis("CONFIG", "SET", "replica-serve-stale-data", "no")
    await scene.ask_redis("REPLICAOF", "127.0.0.1", 1)
    await scene.until_ready(503)
    await asyncio.sleep(3)  # so long it would flap
    async with scene.law("nothing told"):
        assert [one.book.told for one in scene.members if one.book.told] == []
    await scene.ask_redis("REPLICAOF", "NO", "ONE")
    await scene.until_ready()
    await scene.all_hear()
    async with scene.law("told once"):
        assert max(len(one.book.told) for one in scene.members) <= 1


@row(without="looks at the address", breaks="followed", staged=STAGED)
async def test_a_replica_is_promoted_and_the_way_back(scene: Scene) -> None:
    """B3, rolling: the replica is promoted, the address follows, the old master is demoted; then all of it back."""
    async with scene.population.talking():
        await scene.all_hear()
        for master, replica in ((scene.redis, scene.another), (scene.another, scene.redis)):
            await ask(replica, "REPLICAOF", "127.0.0.1", master.port)
            await asyncio.to_thread(replica.wait_until, partial(is_replica, replica), "be a replica")
            await ask(replica, "REPLICAOF", "NO", "ONE")
            for proxy in scene.proxies:
                proxy.lead_to(replica.port)
            await all_are_at(scene, replica)
            await ask(master, "REPLICAOF", "127.0.0.1", replica.port)


def is_replica(server: RedisServer) -> bool:
    return "master_link_status:up" in str(server.execute("INFO", "replication")).replace("'", "").replace(": ", ":")


async def ask(server: RedisServer, *command: str | int) -> None:
    await asyncio.to_thread(server.execute, *command)


@row(without="comparison of servers", breaks="followed", staged=STAGED)
async def test_what_hears_is_at_another_server_than_what_says(scene: Scene) -> None:
    await _one_link_moves(scene, "pubsub")


@row(staged=STAGED)
async def test_what_says_is_at_another_server_than_what_hears(scene: Scene) -> None:
    """Its answers from there tell, too."""
    await _one_link_moves(scene, "normal")


async def _one_link_moves(scene: Scene, kind: str) -> None:
    async with scene.population.talking():
        await scene.all_hear()
        move(scene, *scene.proxies)
        await scene.ask_redis("CLIENT", "KILL", "TYPE", kind)
        await all_are_at(scene, scene.another)


@row(without="looks at the address", breaks="followed", staged=STAGED)
async def test_the_address_names_another_server_while_the_old_one_lives(scene: Scene) -> None:
    """No link is lost: nobody would notice, and the processes would not hear each other."""
    async with scene.population.talking():
        await scene.all_hear()
        move(scene, scene.proxies[0])
        await asyncio.sleep(1)  # so long the two processes are apart
        move(scene, scene.proxies[1])
        await all_are_at(scene, scene.another)


@row(without="reading of answers from the address", breaks="left alone", staged=STAGED)
async def test_the_address_names_a_server_that_takes_no_writes(scene: Scene) -> None:
    """Links that work are better than none: also where the name already names a replica that is not promoted yet."""
    await ask(scene.another, "REPLICAOF", "127.0.0.1", scene.redis.port)
    move(scene, *scene.proxies)
    await links_are_left_alone(scene)


@row(without="reading of answers from the address", breaks="left alone", staged=STAGED)
async def test_the_password_changes(scene: Scene) -> None:
    """It costs only those links that are made anew."""
    await scene.ask_redis("CONFIG", "SET", "requirepass", "another")
    await links_are_left_alone(scene)
    for kind in ("pubsub", "normal"):
        await scene.ask_redis("CLIENT", "KILL", "TYPE", kind)
    async with scene.law("not ready"):
        await scene.until_ready(503)
    await scene.ask_redis("CONFIG", "SET", "requirepass", "")
    await scene.until_ready()
    await scene.all_hear()


async def links_are_left_alone(scene: Scene) -> None:
    await scene.all_hear()
    await asyncio.sleep(3)  # so long the links that work would be ended
    async with scene.law("left alone", FOLLOWED_SECONDS):
        await scene.all_hear()
        assert [one.book.told for one in scene.members if one.book.told] == []
        assert [await scene.metric(process, "bridge_redis_reconnects_total") for process in (0, 1)] == [0, 0]


@row(without="attendance", breaks="not called absent")
async def test_a_process_does_not_hear_and_its_clients_are_not_called_absent(scene: Scene) -> None:
    """What is said reaches Redis, and nobody listens for the recipient there."""
    speaker, recipient = scene.population.by_door("v3")[:2]  # of two processes
    await scene.ask_redis("ACL", "SETUSER", "default", "-subscribe")
    await scene.ask_redis("CLIENT", "KILL", "TYPE", "pubsub")
    async with scene.law("not ready"):
        await scene.until_ready(503)
    said = await speaker.say(("client", recipient.book.name))
    assert said is not None
    await speaker.until(lambda _: bool(said.refusal))
    async with scene.law("not called absent"):
        assert said.refusal == "bus_down"
    await scene.ask_redis("ACL", "SETUSER", "default", "+subscribe")
    await scene.until_ready()
    await scene.all_hear()
