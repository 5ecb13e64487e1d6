"""What a lost link missed is found in the histories; where that is not proven the listeners there are told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses, said_on
from bridge.broker.bus import Bus
from bridge.broker.history import HistoryOptions
from bridge.broker.incoming import Incoming
from bridge.broker.intake import Intake
from bridge.broker.outage import Repaired
from bridge.broker.watermarks import Watermarks
from bridge.continuity import repair as module
from bridge.continuity.repair import Repair
from tests.bridge.broker.parts import ARRIVED_AT, MAX_BYTES, Answers, message, numbers_of, until
from tests.bridge.continuity.processes import OPTIONS, Client, Process, processes
from tests.conftest import StartRedis
from tests.proxy import Proxy, proxy_to

ADDRESSES = Addresses("test")
GROUP, OWN, TENANT = ADDRESSES.group("acme", "g"), ADDRESSES.client("acme", "ann"), ADDRESSES.broadcast("acme")
NOW = 1_767_261_600_000_000


class Reading:
    """A bus on which the test answers what Redis is asked."""

    def __init__(self) -> None:
        self.answers: list[Callable[[Any], None]] = []

    def command(self, _command: bytes, done: Callable[[Any], None]) -> None:
        self.answers.append(done)


class Marks:
    """Watermarks that are reached when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[int], None]] = []

    def ask(self, reached: Callable[[int], None]) -> None:
        self.asked.append(reached)


class Repairing:
    """A repair of three channels, whose positions are known; what was found."""

    def __init__(self) -> None:
        self.redis, self.marks = Reading(), Marks()
        self.intake = Intake(lambda _channel, _batch: None, Counter())
        read = Incoming(lambda: ARRIVED_AT, MAX_BYTES).message
        parts = cast(Bus, self.redis), ADDRESSES, self.intake, cast(Watermarks, self.marks), read
        self.repair = Repair(*parts, lambda _channels, _seconds: None, 60)
        self.found = list[Repaired]()
        for channel in (GROUP, OWN, TENANT):
            self.intake.arrivals.begin(channel)
        self.intake.arrivals.reach(NOW, self.intake.arrivals.ask())

    def begin(self) -> None:
        self.repair.begin(self.found.append)

    def answer(self, index: int, read_at: int, *numbers: int, **more: int) -> None:
        """What the history of a channel is."""
        entries = [[b"%d-0" % (NOW + number), [b"m", message(str(number))]] for number in numbers]
        told = [NOW + read_at, more.get("whole_since", 0), more.get("unkept", 0), more.get("begin", NOW)]
        self.redis.answers[index]([*(b"%d" % each for each in told), entries])


@pytest.fixture
async def repairing(anyio_backend: Any) -> Repairing:
    return Repairing()


def batches(found: Repaired) -> list[tuple[bytes, list[int]]]:
    return [(channel, [number - NOW for number in numbers_of(batch)]) for channel, batch in found.batches]


async def test_what_is_found_is_in_the_order_of_the_numbers(repairing: Repairing) -> None:
    repairing.begin()
    repairing.answer(0, 10, 1, 4)
    repairing.answer(2, 10, 2)
    assert repairing.found == []
    repairing.answer(1, 10, 3)
    (found,) = repairing.found
    assert batches(found) == [(GROUP, [1]), (TENANT, [2]), (OWN, [3]), (GROUP, [4])]
    assert not found.unproven


async def test_what_was_said_after_the_first_was_read_is_left_to_the_link(repairing: Repairing) -> None:
    """It is on the link, too, with what others have said meanwhile on the channel that was read first."""
    repairing.begin()
    repairing.answer(0, 10, 1)
    repairing.answer(1, 20, 2, 15)
    repairing.answer(2, 30)
    (found,) = repairing.found
    assert batches(found) == [(GROUP, [1]), (OWN, [2])]
    assert not found.unproven


@pytest.mark.parametrize(
    "gap", [{"whole_since": NOW + 1}, {"unkept": NOW + 1}, {"begin": NOW + 1}, {"begin": 0}], ids=str
)
async def test_a_history_that_is_not_whole_is_not_taken_and_the_others_are(
    repairing: Repairing, gap: dict[str, int]
) -> None:
    repairing.begin()
    repairing.answer(0, 10, 1)
    repairing.answer(1, 5, 2, **gap)
    repairing.answer(2, 10, 3)
    (found,) = repairing.found
    assert batches(found) == [(GROUP, [1]), (TENANT, [3])]
    assert found.unproven == {OWN}


@pytest.mark.parametrize(("begin", "unproven"), [(NOW - 20, set()), (NOW - 10, {GROUP, OWN, TENANT})])
async def test_where_histories_have_broken_since_everything_was_heard_nothing_is_proven(
    repairing: Repairing, begin: int, unproven: set[bytes]
) -> None:
    """Somebody has come from another server, and has said there what was not heard here: also before the positions."""
    repairing.repair.begun(NOW - 20)
    repairing.repair.begun(NOW - 5)  # by then it may have been missed
    for expected in (unproven, set()):
        repairing.begin()
        for index in range(3):
            repairing.answer(index, 10, 1, begin=begin)
        assert repairing.found.pop().unproven == expected
        repairing.redis.answers.clear()


async def test_after_a_loss_of_all_data_it_is_told_where_histories_begin(repairing: Repairing) -> None:
    repairing.repair.begun(NOW - 20)
    repairing.repair.renumbered()
    repairing.repair.begun(NOW - 10)
    repairing.begin()
    for index in range(3):
        repairing.answer(index, 10, begin=NOW - 10)
    assert not repairing.found[0].unproven


@pytest.mark.parametrize("reply", [None, ValueError("WRONGTYPE")])
async def test_a_history_that_cannot_be_read_is_not_proven(repairing: Repairing, reply: object) -> None:
    repairing.begin()
    repairing.answer(0, 10, 1)
    repairing.redis.answers[1](reply)
    repairing.answer(2, 10)
    assert repairing.found[0].unproven == {OWN}


async def test_a_channel_of_which_nothing_is_known_is_not_proven(repairing: Repairing) -> None:
    repairing.intake.arrivals.begin(ADDRESSES.platform)
    repairing.begin()
    for index in range(4):
        repairing.answer(index, 10)
    assert repairing.found[0].unproven == {ADDRESSES.platform}


async def test_what_is_not_read_in_time_is_not_proven_and_what_comes_later_is_not_used(
    repairing: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPAIR_SECONDS", 0.01)
    repairing.begin()
    repairing.answer(0, 10, 1)
    await until(lambda: repairing.found)
    assert batches(repairing.found[0]) == [(GROUP, [1])]
    assert repairing.found[0].unproven == {OWN, TENANT}
    repairing.answer(1, 10, 2)
    repairing.answer(2, 10, 3)
    assert len(repairing.found) == 1


async def test_what_is_more_than_can_be_handed_on_is_not_proven(
    repairing: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", len(message("1")) + 10)
    repairing.begin()
    for index in range(3):
        repairing.answer(index, 10, index + 1)
    assert batches(repairing.found[0]) == [(GROUP, [1])]
    assert repairing.found[0].unproven == {OWN, TENANT}


async def test_histories_are_read_a_few_at_a_time(repairing: Repairing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_TOGETHER", 2)
    repairing.begin()
    assert len(repairing.redis.answers) == 2
    await asyncio.sleep(0)
    assert len(repairing.redis.answers) == 3


async def test_where_nothing_is_subscribed_nothing_was_missed(repairing: Repairing) -> None:
    for channel in (GROUP, OWN, TENANT):
        repairing.intake.arrivals.end(channel)
    repairing.begin()
    assert repairing.found == [Repaired([], set())]


async def test_a_channel_that_was_subscribed_gets_a_position_soon_with_others(
    repairing: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOON_SECONDS", 0.01)
    repairing.repair.look_soon()
    repairing.intake.arrivals.begin(ADDRESSES.platform)
    repairing.repair.look_soon()
    repairing.repair.look_soon()
    await until(lambda: repairing.marks.asked)
    assert len(repairing.marks.asked) == 1
    repairing.marks.asked[0](0)
    assert repairing.intake.arrivals.position(ADDRESSES.platform) == 0
    repairing.marks.asked[0](NOW + 9)
    assert repairing.intake.arrivals.position(ADDRESSES.platform) == NOW + 9
    repairing.repair.look_soon()
    await asyncio.sleep(0.05)
    assert len(repairing.marks.asked) == 1


async def test_positions_are_kept_fresh_though_nothing_is_said(
    repairing: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a history that is shorter than the silence would prove nothing."""
    monkeypatch.setattr(module, "WATERMARK_SECONDS", 0.01)
    running = asyncio.create_task(repairing.repair.run())
    await until(lambda: len(repairing.marks.asked) >= 3)
    running.cancel()
    repairing.marks.asked[-1](NOW + 9)
    assert repairing.intake.arrivals.position(GROUP) == NOW + 9


class Apart:
    """A process whose links pass a proxy, one whose links do not, and two clients of the first; ann is expected."""

    def __init__(self, proxy: Proxy, near: Process, far: Process) -> None:
        self._proxy = proxy
        self.near = near
        self.far = far
        self.ann, self.ben = Client("ann"), Client("ben")
        self.channels = self.ann.channels(near)

    async def begin(self) -> None:
        await self.far.broker.redis.set(self.key(self.channels[1], ":expected"), 1)
        for client in (self.ann, self.ben):
            await client.come(self.near)
        await until(lambda: all(map(self.near.subscriber.intake.arrivals.position, map(said_on, self.channels))))

    def key(self, channel: bytes, what: str) -> str:
        """The name of what is kept of a channel."""
        return self.near.addresses.kept_under(channel).decode() + what

    async def lose(self) -> None:
        """The links end, and no other is made."""
        self._proxy.swallow()
        self._proxy.reset()
        await until(lambda: not self.near.subscriber.is_up)

    async def come_back(self) -> None:
        self._proxy.up.swallows = self._proxy.down.swallows = False
        self._proxy.reset()
        await until(lambda: self.near.is_whole)
        await self.near.settled()

    async def say(self, text: str, channels: Sequence[bytes] | None = None) -> None:
        for channel in channels or self.channels:
            await self.far.say(channel, text)


@asynccontextmanager
async def apart(port: int, prefix: str, options: HistoryOptions = OPTIONS) -> AsyncIterator[Apart]:
    async with (
        proxy_to(port) as proxy,
        processes(1, proxy.url, prefix, options) as (near,),
        processes(1, f"redis://127.0.0.1:{port}/0", prefix, options) as (far,),
    ):
        one = Apart(proxy, near, far)
        await one.begin()
        yield one


async def test_what_was_said_meanwhile_is_heard_in_order_and_no_gap_told(redis_server: StartRedis, prefix: str) -> None:
    async with apart(redis_server().port, prefix) as links:
        await links.say("before")
        for _ in range(3):
            await links.lose()
            await links.say("missed")
            await links.come_back()
        await links.say("after")
        await links.near.settled()
        assert links.ann.texts == ["before"] * 4 + ["missed"] * 12 + ["after"] * 4
        assert links.ben.texts == ["before"] * 3 + ["missed"] * 9 + ["after"] * 3
        assert (links.ann.gaps, links.ben.gaps) == (0, 0)
        assert (links.near.subscriber.outage.repaired, links.near.subscriber.gaps) == (3, 0)


async def test_only_those_are_told_of_a_gap_who_listen_where_it_is_not_proven(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with apart(server.port, prefix) as links:
        await links.lose()
        await links.say("missed")
        server.execute("XTRIM", links.key(links.channels[1], ":history"), "MAXLEN", "0")
        await links.come_back()
        assert links.ann.texts == ["missed"] * 3
        assert (links.ann.gaps, links.ben.gaps) == (1, 0)


@pytest.mark.parametrize("lost", ["everything", "begin"])
async def test_where_histories_are_gone_everybody_is_told(redis_server: StartRedis, prefix: str, lost: str) -> None:
    server = redis_server()
    async with apart(server.port, prefix) as links:
        await links.lose()
        await links.say("missed")
        if lost == "everything":
            server.execute("FLUSHALL")
        else:
            server.execute("SET", links.near.addresses.history_begin, "x")
        await links.come_back()
        assert links.ann.texts == []
        assert (links.ann.gaps, links.ben.gaps) == (1, 1)


async def test_what_found_no_room_is_told_of(redis_server: StartRedis, prefix: str) -> None:
    async with apart(redis_server().port, prefix, HistoryOptions(seconds=60, direct=False)) as links:
        await links.lose()
        await links.say("missed")
        await links.come_back()
        assert links.ann.texts == ["missed"] * 3
        assert (links.ann.gaps, links.ben.gaps) == (1, 0)


async def test_another_type_where_a_history_should_be_costs_its_own_channel_alone(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with apart(server.port, prefix) as links:
        server.execute("SET", links.key(links.channels[1], ":history"), "x")
        await links.lose()
        await links.say("missed")
        await links.come_back()
        assert links.ann.texts == ["missed"] * 3
        assert (links.ann.gaps, links.ben.gaps) == (1, 0)
        await links.say("after", [links.channels[1]])
        await links.near.settled()
        assert links.ann.texts[-1] == "after"


async def test_what_this_process_says_to_its_own_while_only_its_ear_is_lost_counts_as_heard_and_is(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with apart(server.port, prefix) as links:
        heard = Answers()
        links.near.subscriber.end_link()
        links.near.publish([links.channels[1]], "to ann", heard)
        assert await heard.next() == 1
        await until(lambda: links.near.is_whole)
        await links.near.settled()
        assert (links.ann.texts, links.ann.gaps) == (["to ann"], 0)


async def test_a_plain_message_of_another_service_hides_nothing_and_doubles_nothing(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with apart(server.port, prefix) as links, Redis.from_url(server.url) as service:
        await links.say("numbered", links.channels[:1])
        await service.publish(links.channels[0], message("plain"))
        await links.near.settled()
        await links.lose()
        await links.come_back()
        assert links.ann.texts == ["numbered", "plain"]
