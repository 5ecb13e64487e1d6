"""Positions are those up to which everything has been handed to a connection's listeners, and no later ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from bridge.broker.addresses import said_on
from bridge.broker.arrivals import Arrivals
from bridge.broker.watermarks import Watermarks
from bridge.continuity.handed_on import HandedOn
from bridge.messaging import deliveries as deliveries_module
from bridge.messaging.hub import Listener
from tests.bridge.broker.parts import heard_as, until
from tests.bridge.continuity.processes import LINES
from tests.bridge.messaging.test_deliveries import ADDRESSES, World

GROUP, OWN, TENANT = ADDRESSES.group("acme", "g"), ADDRESSES.client("acme", "ann"), ADDRESSES.broadcast("acme")
BETA = ADDRESSES.group("beta", "other")
CHANNELS = (GROUP, OWN, TENANT, ADDRESSES.platform_for("acme"))


class Marks:
    """Watermarks that are reached when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[int], None]] = []

    def ask(self, reached: Callable[[int], None]) -> None:
        self.asked.append(reached)


class Handing:
    """One listener of two tenants' channels; what waits for it, waits in two queues."""

    def __init__(self) -> None:
        self.world = World()
        self.marks = Marks()
        self.arrivals = Arrivals()
        self.blobs: list[bytes] = []
        self.reached: list[int] = []
        parts = self.arrivals, self.world.deliveries, self.world.hub, ADDRESSES
        self.handed_on = HandedOn(cast(Watermarks, self.marks), *parts)
        self.world.hub.join(Listener(LINES, self.blobs.append, CHANNELS, None, "g", "ann"))
        for channel in CHANNELS:
            self.arrivals.begin(said_on(channel))

    def arrive(self, channel: bytes, *numbers: int) -> None:
        for number in numbers:
            self.arrivals.note(channel, number)
            self.world.deliveries.deliver(channel, [heard_as(number)])

    @property
    def heard(self) -> int:
        return len(b"".join(self.blobs).splitlines())


@pytest.fixture
async def handing(anyio_backend: Any) -> Handing:
    return Handing()


async def test_a_watermark_is_reached_at_once_where_nothing_waits(handing: Handing) -> None:
    handing.handed_on.ask(CHANNELS, handing.reached.append)
    assert handing.reached == []
    handing.marks.asked[0](7)
    assert handing.reached == [7]


@pytest.mark.parametrize("channel", [GROUP, ADDRESSES.platform])
async def test_what_has_arrived_and_waits_is_waited_for(handing: Handing, channel: bytes) -> None:
    handing.world.budget.tenant("acme").spend(0, 0, 50)
    handing.arrive(channel, 5, 6)
    assert handing.heard == 0
    handing.handed_on.ask(CHANNELS, lambda number: handing.reached.append(number * 100 + handing.heard))
    handing.marks.asked[0](7)
    await until(lambda: handing.reached)
    assert handing.reached == [702]


async def test_what_waits_for_others_is_not_waited_for(handing: Handing) -> None:
    handing.world.overdraw(10_000)
    handing.arrive(GROUP, 5)
    handing.handed_on.ask([ADDRESSES.broadcast("beta"), ADDRESSES.platform_for("beta")], handing.reached.append)
    handing.marks.asked[0](7)
    assert handing.reached == [7]


async def test_that_it_cannot_be_known_is_told(handing: Handing) -> None:
    handing.handed_on.ask(CHANNELS, handing.reached.append)
    handing.marks.asked[0](0)
    assert handing.reached == [0]


async def test_the_positions_are_those_of_the_last_messages_or_of_the_watermark(handing: Handing) -> None:
    handing.arrive(GROUP, 5)
    handing.arrive(TENANT, 9)
    handing.world.deliveries.flush()
    assert handing.handed_on.numbers(CHANNELS, 7) == [7, 7, 9, 7]


async def test_what_waits_is_in_no_position(handing: Handing) -> None:
    handing.arrive(GROUP, 5)
    handing.world.overdraw(10_000)
    handing.arrive(GROUP, 6)
    assert handing.handed_on.numbers([GROUP], 2) == [5]
    assert handing.handed_on.now(CHANNELS) is None


async def test_without_asking_they_are_known_once_there_was_a_watermark(handing: Handing) -> None:
    handing.arrive(GROUP, 5)
    assert handing.handed_on.now(CHANNELS) is None
    assert handing.handed_on.now([GROUP]) == [5]
    handing.arrivals.reach(7, handing.arrivals.ask())
    assert handing.handed_on.now(CHANNELS) == [7, 7, 7, 7]
    handing.arrivals.end(OWN)
    assert handing.handed_on.now(CHANNELS) is None


async def test_nobody_has_been_sent_what_others_have_not_when_a_watermark_is_told(
    handing: Handing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its position would be later than what it was sent: a client that goes then would miss a message."""
    monkeypatch.setattr(deliveries_module, "TURN_SECONDS", 0.0)
    monkeypatch.setattr("bridge.messaging.hub.SLICE_BYTES", 1)
    heard: list[list[bytes]] = [[] for _ in range(30)]
    for number, one in enumerate(heard):
        channel = GROUP if number < 20 else BETA
        handing.world.hub.join(Listener(LINES, one.append, [channel], None, "g", "ben"))
    handing.arrive(GROUP, 5, 6)
    handing.arrive(BETA, 7)
    handing.handed_on.ask([BETA], lambda _: handing.reached.append(sum(map(bool, heard[:20]))))
    looks: list[tuple[int, set[int]]] = []

    def look(_number: int) -> None:
        looks.append((handing.handed_on.numbers([GROUP], 0)[0], {len(one) for one in heard[:20]}))

    handing.handed_on.ask([GROUP, BETA], look)
    for reached in handing.marks.asked:
        reached(4)
    await until(lambda: looks and handing.reached)
    assert 0 < handing.reached[0] < 20  # otherwise this shows nothing
    assert looks in ([(5, {1})], [(6, {2})])
