"""A backend hears what is said without being a client: what is meant for it, in one order, once, and across returns."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import httpx
import pytest
import redis.asyncio

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.backends import Backend, Event, Parser, Restless, listening
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, SECRET, UNHURRIED, api_key, key, token, with_key
from tests.end_to_end.raw import request
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch

CONFIG = (
    UNHURRIED
    + "[tenants.acme]\n[tenants.beta]\n"
    + '[tenants.old]\nstage = "legacy"\n'
    + key("acme", "acme")
    + key("beta", "beta")
    + key("old", "old")
    + key("operator", "*", broadcast="platform")
)
OPEN = QUIET + UNHURRIED
MESSAGE = {"msg_type": "msg", "target": "group"}
END_SECONDS = 8.0
AT_ONCE, BREATH_SECONDS = 3, 0.03
RETURNS = 8
RECEIVE_BYTES = 32_768
LARGE = 50
"""Messages, more than a kernel takes in advance."""
TRIMMED = 600
"""Messages, where a history is of five: it is shortened a hundred at a time."""


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture(scope="module")
def pair(module_bridge: StartBridge, module_prefix: str) -> list[BridgeProcess]:
    """Two processes of one deployment, where nobody needs a key."""
    config = "history_messages = 10000\n" + OPEN
    return [module_bridge(config=config, prefix=f"{module_prefix}-open") for _ in range(2)]


@pytest.fixture(autouse=True)
def no_traceback(shared: BridgeProcess, pair: list[BridgeProcess]) -> Iterator[None]:
    yield
    assert not any("Traceback" in one.log for one in (shared, *pair))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as asking:
        yield asking


async def say(http: httpx.AsyncClient, bridge: BridgeProcess, name: str | None = None, **said: Any) -> httpx.Response:
    headers = {} if name is None else {"X-Api-Key": api_key(name)}
    account = "?x_account_id=acme" if name == "operator" else ""
    return await http.post(f"{bridge.url}/v3/messages{account}", json=MESSAGE | said, headers=headers)


async def metric(bridge: BridgeProcess, line: str) -> float:
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{bridge.url}/metrics")).text.splitlines()
    return next((float(one.split()[-1]) for one in lines if one.startswith(f"{line} ")), 0.0)


@contextmanager
def deaf_backend(bridge: BridgeProcess) -> Iterator[socket.socket]:
    """It asks for a stream, and reads nothing; its kernel takes little in advance."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        deaf.connect(("127.0.0.1", bridge.port))
        deaf.sendall(request("/v3/events?groups=a", {"Host": "127.0.0.1"}))
        yield deaf


# Who hears what


async def test_a_backend_hears_both_protocols_and_who_comes_and_is_seen_by_nobody(
    shared: BridgeProcess, http: httpx.AsyncClient
) -> None:
    async with (
        listening(shared, "groups=team", "acme") as backend,
        client(shared, v3_path("team", "ann", with_key("acme"))) as ann,
        client(shared, f"/ws/group/team/client/42?{with_key('acme')}") as old,
    ):
        assert (await ann.hear_anything())["cmd"] == "JOIN"
        joined = await backend.event()
        assert joined is not None
        assert (joined.data["cmd"], joined.data["from_id"]) == ("JOIN", "ann")
        said = await ann.ask({"msg_type": "cmd", "target": "group", "cmd": "RELOAD", "payload": {"force": True}})
        heard = await backend.hear()
        assert (heard.name, heard.data) == ("message", said)
        await old.say({"type": "heartbeat"})
        await old.say({"msg": "of old", "colour": "red"})
        heard = await backend.hear()
        assert (heard.msg, heard.data["from_id"], heard.data["payload"]) == ("of old", "v2-42", {"colour": "red"})
        presence = await http.get(f"{shared.url}/v3/presence/group/team", headers={"X-Api-Key": api_key("acme")})
        assert {member["client_id"] for member in presence.json()["members"]} == {"ann", "v2-42"}


async def test_each_hears_what_it_asked_for_and_no_other_tenant(shared: BridgeProcess, http: httpx.AsyncClient) -> None:
    asked = {
        "groups": ("groups=a,b", "acme"),
        "clients": ("clients=x,y", "acme"),
        "both": ("groups=b&clients=y", "acme"),
        "neither": ("", "acme"),
        "neighbour": ("groups=a,b&clients=x,y", "beta"),
        "neighbourhood": ("", "beta"),
    }
    meant = {
        "groups": ["to a", "to b"],
        "clients": ["to x", "to y"],
        "both": ["to b", "to y"],
        "neither": ["to acme", "to all"],
        "neighbour": [],
        "neighbourhood": ["to all"],
    }
    async with AsyncExitStack() as ends:
        heard = {who: await ends.enter_async_context(listening(shared, *how)) for who, how in asked.items()}
        for group in "abc":
            await say(http, shared, "acme", group_id=group, msg=f"to {group}")
        for to_id in "xyz":
            await say(http, shared, "acme", target="direct", to_id=to_id, msg=f"to {to_id}")
        await say(http, shared, "acme", target="broadcast", msg="to acme")
        await say(http, shared, "operator", target="broadcast", msg="to all")
        for name in ("acme", "beta"):  # what comes after it is the last that each hears
            await say(http, shared, name, group_id="b", msg="over")
            await say(http, shared, name, target="direct", to_id="y", msg="over")
            await say(http, shared, name, target="broadcast", msg="over")
        for who, backend in heard.items():
            texts = []
            while (event := await backend.hear()).msg != "over":
                texts.append(event.msg)
            assert texts == meant[who], who


async def test_what_another_service_says_plainly_is_heard_after_what_was_said_before_it(
    pair: list[BridgeProcess], http: httpx.AsyncClient, redis_url: str, module_prefix: str
) -> None:
    plain = {"version": "3", "msg_type": "cmd", "target": "group", "cmd": "RELOAD", "msg": "plain"}
    async with listening(pair[0], "groups=a,b") as backend, redis.asyncio.Redis.from_url(redis_url) as service:
        await say(http, pair[1], group_id="a", msg="before")
        await service.publish(f"{module_prefix}-open:{{default:g:a}}", json.dumps(plain))
        await service.publish(f"{module_prefix}-open:{{default:g:a}}", json.dumps(plain).replace(",", ",\r") + "\n")
        await say(http, pair[1], group_id="a", msg="after")
        events = [await backend.hear() for _ in range(4)]
        assert [event.msg for event in events] == ["before", "plain", "plain", "after"]
        assert events[0].id == events[1].id == events[2].id != events[3].id


async def test_a_client_for_whom_only_a_backend_listens_is_heard(
    shared: BridgeProcess, http: httpx.AsyncClient
) -> None:
    direct = {"target": "direct", "to_id": "bot"}
    async with client(shared, v3_path("team", "ann", with_key("acme"))) as ann:
        async with listening(shared, "clients=bot", "acme") as backend:
            assert (await say(http, shared, "acme", **direct, msg="by a backend")).status_code == 202
            await ann.say({"msg_type": "msg", **direct, "msg": "by a client"})
            assert [(await backend.hear()).msg for _ in range(2)] == ["by a backend", "by a client"]

        async def is_gone() -> bool:
            return (await say(http, shared, "acme", **direct, msg="nobody")).status_code == 404

        await eventually(is_gone)
        refused = await ann.ask({"msg_type": "msg", **direct, "msg": "nobody"})
        assert refused["payload"]["code"] == "not_connected"


# Who may


@pytest.mark.parametrize(
    ("name", "query", "status", "code"),
    [
        ("nobody", "", 401, "unauthenticated"),
        ("acme", "x_account_id=beta", 403, "forbidden"),
        ("operator", "", 403, "forbidden"),
        ("old", "", 403, "stage_legacy"),
        ("acme", "groups=7", 400, "invalid_id"),
        ("acme", "groups=" + ",".join("abcdefghijklm" * 5), 400, "invalid_id"),
    ],
)
async def test_who_may_not_hear_is_answered_as_who_may_not_say(
    shared: BridgeProcess, http: httpx.AsyncClient, name: str, query: str, status: int, code: str
) -> None:
    answer = await http.get(f"{shared.url}/v3/events?{query}", headers={"X-Api-Key": api_key(name)})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {"code", "retry", "detail", "refused", "msg"} <= set(answer.json())


async def test_a_stream_ends_with_its_token_and_says_so(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG + "[jwt]\n", environment={"BRIDGE_JWT_SECRET": SECRET})
    soon = token(account_id="acme", exp=int(time.time()) + 3)
    async with listening(running, f"groups=a&jwt={soon}", "operator") as backend:
        end = await backend.hear()
        assert (end.name, end.data["cmd"], end.data["payload"]["code"]) == ("end", "ERROR", "token_expired")
        assert await backend.event() is None


async def test_a_stream_has_its_place_among_the_connections(bridge: StartBridge, http: httpx.AsyncClient) -> None:
    running = bridge(config=OPEN + "max_connections = 1\n")
    async with listening(running, "groups=a"):
        assert await metric(running, 'bridge_event_streams{tenant="default"}') == 1
        answer = await http.get(f"{running.url}/v3/events?groups=a")
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["Retry-After"]

    async def is_free() -> bool:
        return await metric(running, 'bridge_event_streams_ended_total{reason="left"}') == 1

    await eventually(is_free)
    async with listening(running, "groups=a"):
        pass


# Who returns


def assert_each_once_and_in_order(heard: list[Event], said: dict[str, int]) -> None:
    """`said`: how many numbers each speaker has said."""
    numbers: dict[str, list[int]] = {name: [] for name in said}
    for event in heard:
        assert event.name == "message", event
        name, number = event.msg.split()
        numbers[name].append(int(number))
    assert numbers == {name: list(range(number)) for name, number in said.items()}
    places = [int(event.id.removeprefix("@"), 36) for event in heard]
    assert places == sorted(set(places))


class Conversation:
    """Clients who say one number after the other, and how many each has said."""

    def __init__(self) -> None:
        self.said: dict[str, int] = {}
        self.is_over = False

    async def speak(self, speaker: Client, name: str, target: dict[str, Any]) -> None:
        self.said[name] = 0
        while not self.is_over:
            for _ in range(AT_ONCE):
                await speaker.say({"msg_type": "msg", **target, "msg": f"{name} {self.said[name]}"})
                self.said[name] += 1
            await asyncio.sleep(BREATH_SECONDS)

    async def until(self, restless: list[Restless]) -> None:
        """Talk until each of these has returned often."""
        try:
            await asyncio.gather(*(each.until_returned(RETURNS) for each in restless))
        finally:
            self.is_over = True

    @property
    def number(self) -> int:
        return sum(self.said.values())


@pytest.mark.parametrize("seed", range(3))
async def test_cut_off_at_random_moments_it_hears_everything_once_and_in_order(
    pair: list[BridgeProcess], seed: int
) -> None:
    """Three groups and two clients on one stream, under load, at two processes."""
    groups, clients = [f"g{number}-{seed}" for number in range(3)], [f"c{number}-{seed}" for number in range(2)]
    query = f"groups={','.join(groups)}&clients={','.join(clients)}"
    conversation, restless = Conversation(), [Restless(pair, query, 10 * seed + number) for number in range(3)]
    async with AsyncExitStack() as ends:
        for number, name in enumerate(clients):
            await ends.enter_async_context(client(pair[number], v3_path("apart", name)))
        steady = await ends.enter_async_context(listening(pair[0], query))
        listens = [asyncio.create_task(each.listen()) for each in restless]
        await asyncio.gather(*(each.begun.wait() for each in restless))
        async with asyncio.TaskGroup() as speaking:
            for number in range(6):
                speaker = await ends.enter_async_context(
                    client(pair[number % 2], v3_path(groups[number % 3], f"s{number}-{seed}"))
                )
                direct = {"target": "direct", "to_id": clients[number % 2]}
                target = direct if number % 3 == 2 else {"target": "group"}
                speaking.create_task(conversation.speak(speaker, f"s{number}", target))
            await conversation.until(restless)
        await asyncio.gather(*(each.until_heard(conversation.number) for each in restless))
        for listen in listens:
            listen.cancel()
        await asyncio.wait(listens)
        assert_each_once_and_in_order([await steady.hear() for _ in range(conversation.number)], conversation.said)
    for each in restless:
        assert_each_once_and_in_order(each.heard, conversation.said)


async def listen_steadily(backend: Backend, heard: list[Event]) -> None:
    while (event := await backend.event()) is not None:
        heard.append(event)


def assert_nothing_is_doubled_or_lost_without_a_gap(heard: list[Event], said: dict[str, int]) -> None:
    is_told = any(event.name == "gap" for event in heard)
    for name, number in said.items():
        texts = [event.msg.split() for event in heard if event.name == "message"]
        numbers = [int(text[1]) for text in texts if text[0] == name]
        assert numbers == sorted(set(numbers))
        assert is_told or numbers == list(range(number))


async def test_when_links_to_redis_are_lost_nothing_is_lost_without_a_gap_and_nothing_is_heard_twice(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    server = redis_server()
    bridges = [bridge(config="history_messages = 10000\n" + OPEN, redis=server.url) for _ in range(2)]
    conversation, restless, steady = Conversation(), Restless(bridges, "groups=g0,g1", 7), list[Event]()
    async with AsyncExitStack() as ends:
        speakers = [await ends.enter_async_context(client(bridges[n], v3_path(f"g{n}", f"s{n}"))) for n in range(2)]
        backend = await ends.enter_async_context(listening(bridges[0], "groups=g0,g1"))
        listens = [asyncio.create_task(listen_steadily(backend, steady)), asyncio.create_task(restless.listen())]
        await restless.begun.wait()
        async with asyncio.TaskGroup() as speaking:
            for number, speaker in enumerate(speakers):
                speaking.create_task(conversation.speak(speaker, f"s{number}", {"target": "group"}))
            for returns in range(2, RETURNS, 2):
                await restless.until_returned(returns)
                await asyncio.to_thread(server.execute, "CLIENT", "KILL", "TYPE", "pubsub")
            await conversation.until([restless])
        last = {f"{name} {number - 1}" for name, number in conversation.said.items()}

        async def all_heard() -> bool:
            return all(last <= {event.data.get("msg") for event in heard} for heard in (steady, restless.heard))

        await eventually(all_heard)
        for listen in listens:
            listen.cancel()
        await asyncio.wait(listens)
    for heard in (steady, restless.heard):
        assert_nothing_is_doubled_or_lost_without_a_gap(heard, conversation.said)


async def test_it_goes_on_at_another_process_when_its_own_is_restarted(
    bridge: StartBridge, http: httpx.AsyncClient
) -> None:
    """It is told so in time, and when to come back."""
    leaving, staying = (bridge(config=OPEN) for _ in range(2))
    async with listening(leaving, "groups=a,b") as backend:
        await say(http, staying, group_id="a", msg="before")
        assert (await backend.hear()).msg == "before"
        ending = asyncio.create_task(asyncio.to_thread(leaving.terminate))
        end = await backend.hear()
        assert (end.name, end.data["payload"]["code"]) == ("end", "going_away")
        assert backend.parser.retry_ms == end.data["payload"]["retry_after_ms"]
        assert await backend.event() is None
        assert await ending == 0
    for group in "ba":
        await say(http, staying, group_id=group, msg=f"meanwhile to {group}")
    async with listening(staying, "groups=a,b", parser=backend.parser) as returned:
        assert [(await returned.hear()).msg for _ in range(2)] == ["meanwhile to b", "meanwhile to a"]


async def test_who_does_not_read_keeps_no_process_from_ending(bridge: StartBridge) -> None:
    running = bridge(config=OPEN)
    with deaf_backend(running):

        async def is_there() -> bool:
            return await metric(running, 'bridge_event_streams{tenant="default"}') == 1

        await eventually(is_there)
        async with client(running, v3_path("a", "ann")) as ann:
            for _ in range(LARGE):
                await ann.ask(MESSAGE | {"msg": "x" * 60_000})
        stopwatch = Stopwatch()
        assert await asyncio.to_thread(running.terminate) == 0
        assert stopwatch.least_seconds < END_SECONDS


async def test_where_the_history_is_shorter_than_the_absence_there_is_a_gap(
    bridge: StartBridge, http: httpx.AsyncClient
) -> None:
    running = bridge(config="history_messages = 5\n" + OPEN)
    async with listening(running, "groups=a,b") as backend:
        before = backend.parser.last_id
    async with client(running, v3_path("a", "ann")) as ann:
        for number in range(TRIMMED):
            await ann.say(MESSAGE | {"msg": f"{number}"})
        for _ in range(TRIMMED):
            await ann.hear()
    async with listening(running, "groups=a,b", parser=backend.parser) as returned:
        gap = await returned.hear()
        assert (gap.name, gap.data["cmd"], gap.id) == ("gap", "GAP", before)
        assert gap.data["payload"]["from"] < gap.data["payload"]["to"]
        await say(http, running, group_id="a", msg="new")
        assert (await returned.hear()).msg == "new"
    async with listening(running, "groups=b", parser=Parser()) as quiet:
        await quiet.until_placed()


async def test_where_nothing_is_kept_there_is_a_gap_after_each_return(
    bridge: StartBridge, http: httpx.AsyncClient
) -> None:
    running, parser = bridge(config="history_seconds = 0\n" + OPEN), Parser()
    parser.last_id = "@0"
    for _ in range(2):
        async with listening(running, "groups=a", parser=parser) as backend:
            assert (await backend.hear()).name == "gap"
            await say(http, running, group_id="a", msg="new")
            event = await backend.hear()
            assert (event.msg, event.id) == ("new", "@0")


async def test_who_does_not_read_is_cut_and_harms_nobody(bridge: StartBridge) -> None:
    running = bridge(config="outbox_bytes = 131072\n" + OPEN)
    async with listening(running, "groups=a") as backend, client(running, v3_path("a", "ann")) as ann:
        with deaf_backend(running):

            async def is_cut() -> bool:
                await ann.say(MESSAGE | {"msg": "x" * 60_000})
                await ann.hear()
                assert len((await backend.hear()).msg) == 60_000
                return await metric(running, 'bridge_event_streams_ended_total{reason="slow_consumer"}') == 1

            await eventually(is_cut)
        assert await metric(running, 'bridge_event_streams{tenant="default"}') == 1
