"""The network and Redis at their worst, through a proxy: what is lost is announced, and the rest arrives.

Numbered messages are said all the while. Nothing may be heard twice or out of order, and for every loss its speaker
heard `bus_down`, or its listener a GAP that covers the time at which it was said.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio

from bridge.broker.addresses import Addresses
from bridge.tenants.stored_state import Changing, read_state, write_state
from bridge.tenants.tenant import TenantState
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import ANSWER_SECONDS, Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.raw import HANDSHAKE, request
from tests.end_to_end.talk import Member, Talk, talk, talking
from tests.proxy import Proxy, proxy_to
from tests.servers import BridgeProcess, RedisServer
from tests.stopwatch import Stopwatch

CONFIG = QUIET + UNHURRIED
WITHOUT_HISTORY = "history_seconds = 0\n"
"""Nothing is repaired: what is lost is announced."""
SAID_SECONDS = 2.0
PATIENT_SECONDS = 10.0
"""Within so many seconds a speaker knows, and once Redis is back everyone hears again."""
RESTORED_SECONDS = 20.0
FLUSH_SECONDS = 5.0
ARRIVES_SECONDS = 60.0
"""Patience and no promise: a bad network takes its time."""
TRIES = 4


@pytest.fixture
def server(redis_server: StartRedis) -> RedisServer:
    return redis_server()


class Clocked(Talk):
    """A talk that remembers when each number was said."""

    def __init__(self, members: Any) -> None:
        super().__init__(members)
        self.said_at: dict[tuple[str, int], str] = {}

    async def say_next(self, member: Member) -> int:
        self.said_at[member.name, self.said[member.name] + 1] = now()
        return await super().say_next(member)

    def unannounced(self) -> list[tuple[str, str, int]]:
        """Listener, speaker and number of every loss that nobody was told of."""
        return [
            (listener.name, speaker.name, number)
            for listener in self.members
            for speaker in self.members
            for number in set(range(1, self.said[speaker.name] + 1)) - set(listener.heard[speaker.name])
            if "bus_down" not in speaker.refusals and not self.is_covered(listener, speaker.name, number)
        ]

    def is_covered(self, listener: Member, speaker: str, number: int) -> bool:
        said_at = self.said_at[speaker, number]
        return any(since <= said_at <= until for since, until in listener.gap_times)


def now() -> str:
    return later(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), 0.0)


def later(moment: str, seconds: float) -> str:
    """A moment, so many seconds later: what is said takes its time to Redis."""
    at = datetime.fromisoformat(moment).timestamp() + seconds
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@asynccontextmanager
async def clocked_talk(*bridges: BridgeProcess, v3: int = 4, v2: int = 2) -> AsyncIterator[Clocked]:
    async with talk(bridges, v3=v3, v2=v2) as conversation:
        yield Clocked(conversation.members)


@asynccontextmanager
async def behind_proxies(server: RedisServer, number: int = 2) -> AsyncIterator[list[Proxy]]:
    async with AsyncExitStack() as ends:
        yield [await ends.enter_async_context(proxy_to(server.port)) for _ in range(number)]


def started(bridge: StartBridge, proxies: list[Proxy], config: str = CONFIG) -> list[BridgeProcess]:
    return [bridge(config=config, redis=proxy.url, wait=False) for proxy in proxies]


async def ready(*bridges: BridgeProcess) -> None:
    """As `wait_until_ready`, while a proxy on this loop goes on."""
    await asyncio.gather(*(asyncio.to_thread(one.wait_until_ready) for one in bridges))


def holds(conversation: Clocked) -> None:
    assert [member.closed for member in conversation.members if member.closed] == []
    assert conversation.nothing_is_doubled_or_shuffled()
    assert conversation.unannounced() == []


async def metric(bridge: BridgeProcess, name: str) -> float:
    """The sum of a metric over its labels."""
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{bridge.url}/metrics")).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


async def members_of(bridge: BridgeProcess, group: str = "talk") -> set[str]:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{bridge.url}/v3/presence/group/{group}")
        return {member["client_id"] for member in answer.json()["members"]} if answer.status_code == 200 else set()


async def presence_is_whole(conversation: Talk, *bridges: BridgeProcess) -> None:
    names = {member.name for member in conversation.members}

    async def whole() -> bool:
        return all([await members_of(bridge) == names for bridge in bridges])

    await eventually(whole, RESTORED_SECONDS)


@pytest.mark.parametrize("fault", ["slices", "delay"])
async def test_a_network_that_is_only_bad_loses_nothing(bridge: StartBridge, server: RedisServer, fault: str) -> None:
    """In one of a few tries: a machine that is busy for two seconds is no bad network, but looks like a dead one."""
    async with behind_proxies(server) as proxies:
        bridges, tries = started(bridge, proxies), TRIES
        await ready(*bridges)
        while not await nothing_is_lost(bridges, proxies, fault):
            tries -= 1
            assert tries
        await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in bridges))


async def nothing_is_lost(bridges: list[BridgeProcess], proxies: list[Proxy], fault: str) -> bool:
    """Nobody is told of a loss. Whatever is not told has arrived."""
    await ready(*bridges)
    async with clocked_talk(*bridges) as conversation:
        make_bad(proxies, fault)
        await asyncio.gather(*(converse(conversation, speaker, 10) for speaker in conversation.members))
        make_bad(proxies, "")
        if any(member.is_told_of_loss for member in conversation.members):
            return False
        await everything_arrived(conversation)
        assert conversation.members_who_missed() == []
        holds(conversation)
        return True


def make_bad(proxies: list[Proxy], fault: str) -> None:
    for proxy in proxies:
        for way in (proxy.up, proxy.down):
            way.in_slices, way.delay_seconds = fault == "slices", 0.1 if fault == "delay" else 0.0


async def converse(conversation: Talk, speaker: Member, numbers: int) -> None:
    """Each number once its speaker has heard the one before: a slow network is asked for no more than it carries."""
    for _ in range(numbers):
        number = await conversation.say_next(speaker)
        await speaker.until_heard_or_told(speaker.name, number, ARRIVES_SECONDS)


async def everything_arrived(conversation: Talk) -> None:
    """The last number of each speaker was heard by everyone."""
    for speaker in conversation.members:
        for listener in conversation.members:
            await listener.until_heard(speaker.name, conversation.said[speaker.name], ARRIVES_SECONDS)


async def test_resets_under_load_are_announced(bridge: StartBridge, server: RedisServer) -> None:
    async with behind_proxies(server) as proxies:
        bridges = started(bridge, proxies, WITHOUT_HISTORY + CONFIG)
        await ready(*bridges)
        async with clocked_talk(*bridges) as conversation:
            async with talking(conversation, conversation.members[2:]):
                for number in range(10):
                    proxies[number % 2].reset()
                    await conversation.until_all_hear(conversation.members[0], SAID_SECONDS)
            await conversation.until_all_hear(conversation.members[0], SAID_SECONDS)
            holds(conversation)
            assert all(member.gaps for member in conversation.members)
            await presence_is_whole(conversation, *bridges)
        await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in bridges))


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
async def test_connections_that_redis_kills_under_load_come_back(
    bridge: StartBridge, server: RedisServer, kind: str
) -> None:
    bridges = [bridge(config=CONFIG, redis=server.url) for _ in range(2)]
    async with clocked_talk(*bridges) as conversation:
        async with talking(conversation, conversation.members[2:]):
            for _ in range(20):
                await asyncio.to_thread(server.execute, "CLIENT", "KILL", "TYPE", kind)
                await conversation.until_all_hear(conversation.members[0], SAID_SECONDS)
        await conversation.until_all_hear(conversation.members[0], SAID_SECONDS)
        holds(conversation)
        await presence_is_whole(conversation, *bridges)


@pytest.mark.alone
async def test_a_black_hole_before_one_process_is_noticed_by_it_alone(bridge: StartBridge, server: RedisServer) -> None:
    """Its own clients hear nothing for a while, and learn from when to when; the others go on."""
    async with behind_proxies(server) as proxies:
        bridges = started(bridge, proxies)
        await ready(*bridges)
        async with clocked_talk(*bridges) as conversation:
            inside, outside = conversation.members[0], conversation.members[1]
            others = conversation.members[1::2]
            await conversation.until_all_hear(inside, SAID_SECONDS)
            proxies[0].swallow()
            stopwatch = Stopwatch()
            async with talking(conversation, [outside]):
                await conversation.say_next(inside)
                await inside.until(lambda one: "bus_down" in one.refusals, SAID_SECONDS)
                await until_metric(bridges[0], "bridge_subscriber_up", 0)
                assert stopwatch.least_seconds < 10
                assert await metric(bridges[0], "bridge_bus_up") == 0
                proxies[0].up.swallows = proxies[0].down.swallows = False
            await conversation.until_all_hear(outside, 2 * SAID_SECONDS)
            for member in conversation.members[0::2]:  # a GAP is told once both links are known to be whole
                await member.until(lambda one: bool(one.gaps), SAID_SECONDS)
            holds(conversation)
            assert [bool(member.gaps) for member in conversation.members] == [True, False] * 3
            assert all(member.refusals == [] for member in others)
        await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in bridges))


async def until_metric(bridge: BridgeProcess, name: str, value: float, seconds: float = 10) -> None:
    async def reached() -> bool:
        return await metric(bridge, name) == value

    await eventually(reached, seconds)


async def test_a_subscriber_that_redis_cuts_off_for_lagging_announces_it(
    bridge: StartBridge, server: RedisServer
) -> None:
    server.execute("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 128kb 1")
    # What the kernel holds when Redis cuts off comes all at once, and must make nobody a slow consumer.
    config = "outbox_bytes = 1_073_741_824\n" + WITHOUT_HISTORY + CONFIG
    lagging, other = (bridge(config=config, redis=server.url) for _ in range(2))
    async with clocked_talk(lagging, other) as conversation:
        outside = conversation.members[1]
        await conversation.until_all_hear(outside, SAID_SECONDS)
        lagging.freeze()
        await flood_until_cut_off(server, conversation, outside)
        lagging.thaw()
        await conversation.until_all_hear(outside, PATIENT_SECONDS)
        for member in conversation.members[0::2]:
            lost = set(outside.heard["flood"]) - set(member.heard["flood"])
            assert lost
            assert all(conversation.is_covered(member, "flood", number) for number in lost)
        assert all(member.gaps == 1 for member in conversation.members[0::2])
        assert all(member.gaps == 0 for member in conversation.members[1::2])
        assert conversation.nothing_is_doubled_or_shuffled()
        assert await metric(lagging, "bridge_gaps_total") == 1


async def flood_until_cut_off(server: RedisServer, conversation: Clocked, speaker: Member) -> None:
    """However much the kernel holds for a process that does not read: Redis has one subscriber less when it is full."""
    subscribers = len(await subscribers_of(server))
    for number in count():
        said = {"talker": "flood", "number": number, "text": "x" * 50_000}
        conversation.said_at["flood", number] = now()
        await speaker.own.say({"msg_type": "msg", "target": "group", "payload": said})
        await speaker.until_heard("flood", number, PATIENT_SECONDS)  # or its own process might lag, too
        if len(await subscribers_of(server)) < subscribers:
            return


async def subscribers_of(server: RedisServer) -> list[str]:
    return str(await asyncio.to_thread(server.execute, "CLIENT", "LIST", "TYPE", "pubsub")).splitlines()


async def test_a_process_that_stalls_for_five_seconds_lost_nothing(bridge: StartBridge, server: RedisServer) -> None:
    """What was said meanwhile lay unread: it is heard, in order, and nobody is told of a gap that there was not."""
    stalled, other = (bridge(config=CONFIG, redis=server.url) for _ in range(2))
    async with clocked_talk(stalled, other) as conversation:
        outside = conversation.members[1]
        await conversation.until_all_hear(outside, SAID_SECONDS)
        stalled.freeze()
        async with talking(conversation, [outside]):
            await asyncio.sleep(5)  # so long it stalls
        stalled.thaw()
        await conversation.until_all_hear(outside, SAID_SECONDS)
        assert conversation.members_who_missed() == []
        assert [member.gaps for member in conversation.members] == [0] * 6
        assert await metric(stalled, "bridge_redis_reconnects_total") == 0
        holds(conversation)


STATE = TenantState(version=7, stage="drain", share=40, v2_routing="group", id_map={"42": "Xk3", "43": "Yl4"})


@pytest.mark.parametrize("how", ["FLUSHALL", "another type", "restart"])
async def test_what_redis_forgets_of_tenants_and_clients_is_restored(
    bridge: StartBridge, server: RedisServer, prefix: str, how: str
) -> None:
    addresses = Addresses(prefix)
    async with AsyncExitStack() as ends:
        asking = await ends.enter_async_context(redis.asyncio.Redis.from_url(server.url))
        await write_state(asking, addresses, "default", STATE)
        bridges = [bridge(config=CONFIG, redis=server.url) for _ in range(2)]
        mapped = await ends.enter_async_context(client(bridges[0], "/ws/group/talk/client/42"))
        other = await ends.enter_async_context(client(bridges[1], v3_path("talk", "ann")))
        assert await members_of(bridges[0]) == {"Xk3", "ann"}
        if how == "restart":
            await asyncio.to_thread(server.restart)
        else:
            await asking.flushall()
        if how == "another type":
            await spoil(asking, addresses)

        async def restored() -> bool:
            return (
                await members_of(bridges[0]) == await members_of(bridges[1]) == {"Xk3", "ann"}
                and await read_state(asking, addresses, "default") == STATE
                and await asking.hgetall(addresses.tenants) == {b"default": b"7"}
            )

        async def restored_and_at_rest() -> bool:
            try:
                return await restored()
            except (redis.RedisError, Changing):
                return False

        await eventually(restored_and_at_rest, RESTORED_SECONDS)
        await mapped.say({"number": 1})
        assert await heard_number(mapped) == {"number": 1}
        assert (await heard_number(other))["from_id"] == "Xk3"
        await other.say({"msg_type": "msg", "target": "direct", "to_id": "Xk3", "payload": {"number": 2}})
        assert (await heard_number(mapped))["client_id"] == "ann"


async def spoil(asking: redis.asyncio.Redis, addresses: Addresses) -> None:
    names = [addresses.tenants, addresses.tenant("default"), addresses.id_map("default"), addresses.processes]
    for name in [*names, addresses.presence("default", "talk"), addresses.holders("default", "talk")]:
        await asking.delete(name)
        await asking.set(name, "spoiled")


async def heard_number(listener: Client) -> dict[str, Any]:
    """The next frame that is no news of presence, and no GAP."""
    while "number" not in (heard := await listener.hear()) | heard.get("payload", {}):
        pass
    return heard


async def test_who_is_sent_away_by_sigterm_leaves_at_once_for_the_clients_of_others(bridge: StartBridge) -> None:
    stopping, other = bridge(config=UNHURRIED), bridge(config=UNHURRIED)
    async with AsyncExitStack() as ends:
        stays = await ends.enter_async_context(client(other, v3_path("talk", "stays")))
        going = [
            await ends.enter_async_context(client(stopping, path))
            for path in (v3_path("talk", "a"), v3_path("talk", "b"), "/ws/group/talk/client/42")
        ]
        names = {"a", "b", "v2-42"}
        await heard_events(stays, "JOIN", names)
        stopwatch = Stopwatch()
        ending = asyncio.create_task(asyncio.to_thread(stopping.terminate))
        assert [await one.close_code() for one in going] == [1012] * 3
        await heard_events(stays, "LEAVE", names)
        assert await ending == 0
        assert stopwatch.least_seconds < 2
        assert await members_of(other) == {"stays"}


async def heard_events(listener: Client, cmd: str, names: set[str]) -> None:
    """Hear of each of them, once."""
    heard: list[str] = []
    while not names <= set(heard):
        event = await listener.hear_anything()
        if event.get("cmd") == cmd:
            heard.append(event["from_id"])
    assert len(set(heard) & names) == sum(name in names for name in heard)


async def test_a_stopping_process_waits_for_slow_readers_as_long_as_it_may(bridge: StartBridge) -> None:
    """Who reads late gets all that was queued, the ERROR and the close; who never reads is cut off in time."""
    stopping = bridge(config=CONFIG + "drain_seconds = 5\n")
    async with AsyncExitStack() as ends:
        speaker = await ends.enter_async_context(client(stopping, v3_path("talk", "speaker")))
        silent = NeverReading(stopping)
        ends.callback(silent.close)
        await silent.come(2)
        await fill(speaker, 16)
        stopwatch = Stopwatch()
        ending = asyncio.create_task(asyncio.to_thread(stopping.terminate))
        assert await speaker.close_code() == 1012
        assert stopwatch.least_seconds < 1
        await is_refused(stopping)
        await asyncio.sleep(max(0.0, 2 - stopwatch.all_seconds))  # so late it reads
        late = await silent.rest(silent.sockets[0])
        assert late.count(b'"from_id":"speaker"') == 16
        assert b'"code":"going_away"' in late[-600:]
        assert late.endswith(b"\x88\x0c" + (1012).to_bytes(2, "big") + b"going_away")
        assert await ending == 0
        assert stopwatch.all_seconds > 2
        assert stopwatch.least_seconds < 5.3  # 4.6 on an idle machine


async def is_refused(bridge: BridgeProcess) -> None:
    """Nobody listens any more: another process on the same port is given whoever comes now."""

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    await eventually(refused, 1)


class NeverReading:
    """Clients that shake hands and then read nothing; each has a receive buffer that is soon full."""

    def __init__(self, bridge: BridgeProcess) -> None:
        self._bridge = bridge
        self.sockets: list[socket.socket] = []

    async def come(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        for each in range(number):
            silent = socket.socket()
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.setblocking(False)
            self.sockets.append(silent)
            await loop.sock_connect(silent, ("127.0.0.1", self._bridge.port))
            await loop.sock_sendall(silent, request(v3_path("talk", f"silent{each}"), HANDSHAKE))
            head = b""
            while b"\r\n\r\n" not in head:
                head += await loop.sock_recv(silent, 1)

    async def rest(self, silent: socket.socket) -> bytes:
        """Everything that it was sent, read at last."""
        loop, rest = asyncio.get_running_loop(), b""
        try:
            while data := await asyncio.wait_for(loop.sock_recv(silent, 65_536), ANSWER_SECONDS):
                rest += data
        except ConnectionResetError:
            pass
        return rest

    def close(self) -> None:
        for silent in self.sockets:
            silent.close()


def resident_bytes(bridge: BridgeProcess) -> int:
    return int(Path(f"/proc/{bridge.pid}/statm").read_text().split()[1]) * 4096


async def test_clients_that_never_read_are_told_cut_and_forgotten(bridge: StartBridge) -> None:
    """The last things queued are the ERROR and the close: who reads in time sees both."""
    running = bridge(config=CONFIG)
    async with AsyncExitStack() as ends:
        speaker = await ends.enter_async_context(client(running, v3_path("talk", "speaker")))
        silent = NeverReading(running)
        ends.callback(silent.close)
        await fill(speaker, 10)
        before = resident_bytes(running)
        await silent.come(20)
        for _ in range(200):
            await fill(speaker, 1)
            if await metric(running, "bridge_refusals_total") >= 20:
                break
        stopwatch = Stopwatch()
        full = resident_bytes(running)
        late = await silent.rest(silent.sockets[0])
        assert b'"code":"slow_consumer"' in late[-600:]
        assert late.endswith(b"\x88\x0f" + (4508).to_bytes(2, "big") + b"slow_consumer")
        await until_metric(running, "bridge_connections", 1, 2 * FLUSH_SECONDS)
        assert stopwatch.least_seconds < FLUSH_SECONDS + 1
        assert await members_of(running) == {"speaker"}
        await fill(speaker, 1)
        assert full - before < 60 * 1024 * 1024
        assert resident_bytes(running) - before < 15 * 1024 * 1024


async def fill(speaker: Client, number: int) -> None:
    """So many large messages; the speaker hears each, and not late."""
    for _ in range(number):
        stopwatch = Stopwatch()
        heard = await speaker.ask({"msg_type": "msg", "target": "group", "msg": "x" * 60_000})
        assert heard["from_id"] == "speaker"
        assert stopwatch.least_seconds < 0.5
