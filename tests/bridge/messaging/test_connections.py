"""The open connections of one process: how each begins and ends, and what concerns them together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.budget.accounts import Holder
from bridge.messaging import connections as connections_module
from bridge.messaging.connections import Connection, ConnectionInfo, Connections, Ticket
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.renderers import V3Renderer
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.sockets.outbox import Outbox
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.stopwatch import Stopwatch

RENDERER = V3Renderer()


class Wire:
    """A socket that notes what it is told."""

    def __init__(self) -> None:
        self.closes: list[tuple[int, str]] = []
        self.is_aborted = False

    def write(self, frames: bytes) -> None: ...

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        self.closes.append((code, reason))

    def abort(self) -> None:
        self.is_aborted = True


class Session:
    """A session that closes whenever it refuses."""

    def __init__(self, outbox: Outbox) -> None:
        self.refusals: list[tuple[str, dict[str, Any]]] = []
        self._outbox = outbox

    def receive(self, text: str, receipt: Any = None) -> None: ...

    def refuse(self, code: str, **extra: Any) -> None:
        self.refusals.append((code, extra))
        self._outbox.close(4000, code)


class Touches:
    """As much of presence as a connection needs."""

    def __init__(self) -> None:
        self.touched: list[Place] = []

    def touch(self, place: Place) -> None:
        self.touched.append(place)


ANYBODY = Ticket(needs_no_key=True)
"""Whoever the tenant of a test admits."""


def facts_of(place: Place, path_ids: tuple[str | None, str | None], expires_at: float | None = None) -> ConnectionInfo:
    visitor = Visitor("v2" if place.protocol == "v2" else "v3", place.protocol, *reversed(path_ids))  # type: ignore[arg-type]
    return ConnectionInfo(place, path_ids, visitor, 0.0, "test", expires_at, ticket=ANYBODY)


class World:
    """Connections and what they stand on."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.presence = Touches()
        self.counts = Counts()
        presence: Any = self.presence
        self.connections = Connections(self.hub, presence, self.counts, time.time)

    def open(self, client: str = "ann", protocol: Any = "v3", expires_at: float | None = None) -> Opened:
        place = Place("acme", "team", client, protocol)
        opened = Opened(self, facts_of(place, (place.group, place.client), expires_at))
        opened.connection.begin()
        return opened


class Opened:
    """One connection with all its parts."""

    def __init__(self, world: World, info: ConnectionInfo) -> None:
        self.wire = Wire()
        outbox = Outbox(self.wire)
        self.session = Session(outbox)
        self.listener = Listener(RENDERER, outbox.write, [b"channel"], None, info.place.group, info.place.client)
        self.connection = Connection(info, self.session, outbox, self.listener, world.connections, Holder())

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.session.refusals]


@pytest.fixture
async def world(anyio_backend: Any) -> World:
    return World()


async def test_a_connection_is_counted_and_heard_from_its_begin_to_its_end(world: World) -> None:
    begun: list[Connection] = []
    ended: list[Connection] = []
    world.connections.begun.add(begun.append)
    world.connections.ended.add(ended.append)
    ann, ben = world.open("ann"), world.open("ben", "v2")
    assert begun == [ann.connection, ben.connection]
    assert len(world.connections) == 2
    assert world.connections.open_by_tenant() == {("acme", "v3"): 1, ("acme", "v2"): 1}
    assert world.counts.accepted == {"v3": 1, "v2": 1}
    assert world.hub.listeners == {ann.listener, ben.listener}
    ann.connection.lost()
    ann.connection.lost()
    assert ann.connection.is_over
    assert ended == [ann.connection]
    assert ann.connection.outbox.is_closed
    assert list(world.connections) == [ben.connection]
    assert world.connections.open_by_tenant() == {("acme", "v2"): 1}
    assert world.hub.listeners == {ben.listener}


async def test_of_two_connections_of_a_tenant_one_stays_counted(world: World) -> None:
    first, _ = world.open("ann"), world.open("ben")
    first.connection.lost()
    assert world.connections.open_by_tenant() == {("acme", "v3"): 1}


async def test_a_connection_that_never_began_can_be_lost(world: World) -> None:
    never = Opened(world, facts_of(Place("acme", "team", "ann", "v3"), ("team", "ann")))
    never.connection.lost()
    assert len(world.connections) == 0


async def test_an_abort_reaches_the_wire(world: World) -> None:
    ann = world.open()
    ann.connection.abort()
    assert ann.wire.is_aborted


async def test_a_connection_ends_with_its_token(world: World) -> None:
    soon, later, past = (world.open(expires_at=time.time() + seconds) for seconds in (0.1, 60, -60))
    await until(lambda: soon.codes and past.codes)
    assert (soon.codes, later.codes, past.codes) == (["token_expired"], [], ["token_expired"])
    later.connection.lost()
    assert later.connection._expiry is not None
    assert later.connection._expiry.cancelled()


async def test_a_pong_keeps_a_v2_client_present_and_noted_and_says_nothing_of_a_v3_client(world: World) -> None:
    old, new, stays = world.open("old", "v2"), world.open("new", "v3"), list[str]()
    for opened, name in ((old, "old"), (new, "new")):
        opened.connection.passage.staying = partial(stays.append, name)
        opened.connection.alive()
    assert (world.presence.touched, stays) == ([Place("acme", "team", "old", "v2")], ["old"])


async def test_the_end_tells_everyone_when_to_come_back_and_waits_for_them(world: World) -> None:
    opened = [world.open(f"c{number}") for number in range(20)]
    closing = asyncio.create_task(world.connections.close_all(60))
    await asyncio.sleep(0)
    assert world.connections.is_closing
    pauses = {each.session.refusals[0][1]["retry_after_ms"] for each in opened}
    assert len(pauses) > 5
    assert all(250 <= pause <= 3_000 for pause in pauses)
    assert [each.codes for each in opened] == [["going_away"]] * 20
    for each in opened[1:]:
        each.connection.lost()
    await asyncio.sleep(0)
    assert not closing.done()
    opened[0].connection.lost()
    await asyncio.wait_for(closing, ANSWER_SECONDS)


async def test_the_end_does_not_wait_longer_than_it_may(world: World) -> None:
    world.open()
    stopwatch = Stopwatch()
    await world.connections.close_all(0.2)
    assert stopwatch.all_seconds > 0.1
    assert stopwatch.least_seconds < 1
    assert len(world.connections) == 1


async def test_telling_everyone_is_part_of_the_time_for_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or what telling thousands takes would be missing where LEAVE is to be said."""
    ann, timeout = world.open(), asyncio.timeout
    told: list[list[str]] = []

    def begins(seconds: float) -> asyncio.Timeout:
        told.append(ann.codes)
        return timeout(seconds)

    monkeypatch.setattr(asyncio, "timeout", begins)
    await world.connections.close_all(0)
    assert (told, ann.codes) == ([[]], ["going_away"])


async def test_the_end_of_nobody_is_at_once(world: World) -> None:
    await asyncio.wait_for(world.connections.close_all(60), ANSWER_SECONDS)


async def test_a_token_goes_by_the_wall_clock_also_when_that_is_set(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "CLOCK_LOOK_SECONDS", 0.02)
    ahead_seconds = 0.0
    world.connections.epoch_seconds = lambda: time.time() + ahead_seconds  # type: ignore[misc]
    hour, day = (world.open(expires_at=time.time() + seconds) for seconds in (3_600, 86_400))
    ahead_seconds = 3_601
    await until(lambda: hour.codes == ["token_expired"])
    ahead_seconds = -3_600
    soon = world.open(expires_at=time.time() + 0.05)
    for _ in range(5):
        await asyncio.sleep(0.02)
    assert (soon.codes, day.codes) == ([], [])


async def test_who_is_dismissed_is_refused_once_nothing_said_to_it_alone_can_arrive(world: World) -> None:
    opened, then = world.open(), list[Callable[[str | None], None]]()
    opened.connection.passage.withdraw = lambda is_expected, call: then.append(call) if is_expected else None
    opened.connection.dismiss("moved_to_v3", successor="/v3")
    opened.connection.dismiss("going_away")
    assert (opened.codes, len(then)) == ([], 1)
    then[0]("@g.1")
    assert opened.session.refusals == [("moved_to_v3", {"successor": "/v3", "since": "@g.1"})]
    assert opened.connection.passage.cursor == "@g.1"


@pytest.mark.parametrize("cursor", ["@g.1", None])
async def test_who_was_sent_away_with_a_cursor_may_tell_later_that_it_has_taken_all(
    world: World, cursor: str | None
) -> None:
    opened, leavings = world.open(), list[bool]()
    passage = opened.connection.passage
    passage.withdraw = lambda _is_expected, call: call(cursor)
    passage.leaving = lambda _connection: leavings.append(passage.has_taken_all)
    opened.connection.dismiss("moved_to_v3")
    opened.connection.lost()
    opened.connection.taken_all()
    assert leavings == [False, True][: 1 if cursor is None else 2]


async def test_who_is_sent_nowhere_is_told_no_cursor(world: World) -> None:
    opened = world.open()
    opened.connection.passage.withdraw = lambda _is_expected, call: call("@g.1")
    opened.connection.dismiss("going_away")
    assert opened.session.refusals == [("going_away", {})]


async def test_who_may_not_come_back_is_not_expected(world: World) -> None:
    opened, expected = world.open(), list[bool]()
    opened.connection.passage.withdraw = lambda is_expected, _call: expected.append(is_expected)
    opened.connection.dismiss("forbidden")
    assert expected == [False]


async def test_who_is_lost_meanwhile_is_refused_nothing(world: World) -> None:
    opened, then = world.open(), list[Callable[[str | None], None]]()
    opened.connection.passage.withdraw = lambda _is_expected, call: then.append(call)
    opened.connection.dismiss("moved_to_v3")
    opened.connection.lost()
    then[0](None)
    assert opened.codes == []


async def test_an_end_in_a_hurry_waits_for_no_withdrawal(world: World) -> None:
    opened = world.open()
    opened.connection.passage.withdraw = lambda _is_expected, _then: None
    await world.connections.close_all(0.01)
    assert opened.codes == ["going_away"]
