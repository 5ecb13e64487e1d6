"""Several channels in one order, whatever the turns of their tenants do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, Literal, cast

import pytest

from bridge.broker.addresses import said_on
from bridge.broker.arrivals import Arrivals
from bridge.broker.batches import Batches
from bridge.broker.message import BusMessage
from bridge.broker.watermarks import Watermarks
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.continuity.handed_on import HandedOn
from bridge.continuity.ordered_channels import OrderedChannels
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.renderers import V3Renderer
from tests.bridge.broker.parts import until
from tests.bridge.messaging.rendering import said
from tests.bridge.population import ADDRESSES, NOW

A, B, CLIENT = ADDRESSES.group("acme", "a"), ADDRESSES.group("acme", "b"), ADDRESSES.client("acme", "ann")
OTHERS = ADDRESSES.group("acme", "others")
CHANNELS = (A, B, CLIENT, ADDRESSES.broadcast("acme"), ADDRESSES.platform_for("acme"))
NOBODY = (None, "", "")
ROUNDS = 100


class Marks:
    """Watermarks that a test reaches."""

    def __init__(self) -> None:
        self.asked: list[Callable[[int], None]] = []

    def ask(self, reached: Callable[[int], None]) -> None:
        self.asked.append(reached)


class World:
    """What arrives is delivered as in a process: by kind, and in the turns of its tenant. `heard` is in order."""

    def __init__(self) -> None:
        self.budget, self.hub, self.marks = Budget(Settings().limits), Hub(), Marks()
        self.deliveries = Deliveries(self.hub, self.budget, ADDRESSES, lambda *_: None)
        self.handed_on = HandedOn(cast(Watermarks, self.marks), Arrivals(), self.deliveries, self.hub, ADDRESSES)
        self.heard: list[tuple[int, str]] = []
        self.number = 0
        self.all: list[tuple[int, str, bytes]] = []
        self.channels = self.listening()

    def keep_waiting(self, *tenants: str) -> None:
        """What arrives from now on for these tenants waits for a turn of theirs."""
        holders = [self.budget.tenant(tenant) for tenant in tenants]
        self.budget.turns.may_go_on = lambda holder: holder not in holders  # type: ignore[method-assign]

    def listening(self) -> OrderedChannels:
        return OrderedChannels(CHANNELS, self.hub, self.handed_on, self.hear)

    def hear(self, position: int, message: BusMessage) -> None:
        self.heard.append((position, str(message.heard.msg)))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.heard]

    def said(self, channel: bytes, *, numbered: bool = True) -> tuple[bytes, BusMessage]:
        self.number += 1
        message = said(msg=f"{self.number}")
        message.number = self.number if numbered else 0
        self.all.append((self.number, f"{self.number}", channel))
        return channel, message

    def arrive(self, *arrived: tuple[bytes, BusMessage]) -> None:
        """All in one read."""
        batches = Batches(ADDRESSES.kind_of)
        for channel, message in arrived:
            batches.add(channel, message)
        for channel, batch in batches.all:
            self.deliveries.deliver(channel, batch)


@pytest.fixture
async def world(anyio_backend: Any) -> AsyncIterator[World]:
    world = World()
    world.channels.begin()
    yield world
    world.channels.end()
    assert not any(world.hub.has(channel) for channel in (A, B, CLIENT))


async def test_what_the_hub_delivers_channel_by_channel_is_heard_in_the_order_of_its_numbers(world: World) -> None:
    world.arrive(*map(world.said, (A, B, A, CLIENT, B)))
    assert world.heard == []
    await until(lambda: len(world.heard) == 5)
    assert world.heard == [(number, f"{number}") for number in range(1, 6)]
    assert world.channels.position == 5


async def test_what_waits_for_the_turn_of_its_tenant_is_waited_for(world: World) -> None:
    world.keep_waiting("acme")
    world.arrive(world.said(A), world.said(ADDRESSES.platform), world.said(B))
    await until(lambda: world.texts)
    await until(lambda: len(world.heard) == 3)
    assert world.texts == ["1", "2", "3"]


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_whoever_returns_with_any_position_misses_nothing_and_hears_nothing_twice(seed: int) -> None:
    """At each event: what was heard by then is everything up to its position, whatever waits for whom."""
    chance, world = Random(seed), World()
    world.channels.begin()
    for _ in range(10):
        world.keep_waiting(*(["acme"] if chance.random() < 0.4 else []))
        world.arrive(*(world.said(said_on(chance.choice((*CHANNELS, OTHERS)))) for _ in range(chance.randrange(1, 12))))
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    mine = [(number, text) for number, text, channel in world.all if channel != OTHERS]
    await until(lambda: len(world.heard) >= len(mine))
    assert world.heard == mine
    world.channels.end()


async def test_what_has_no_number_stays_behind_what_was_said_before_it_on_its_channel(world: World) -> None:
    world.arrive(
        world.said(A), world.said(CLIENT), world.said(A, numbered=False), world.said(B, numbered=False), world.said(B)
    )
    await until(lambda: len(world.heard) == 5)
    order = [world.texts.index(text) for text in ("1", "3")], [world.texts.index(text) for text in ("4", "5")]
    assert all(first < second for first, second in order)
    assert [position for position, _ in world.heard] == sorted(position for position, _ in world.heard)
    assert world.channels.position == 5


async def test_without_a_history_everything_is_heard_as_it_comes(world: World) -> None:
    world.arrive(*(world.said(A, numbered=False) for _ in range(3)))
    await until(lambda: len(world.heard) == 3)
    assert world.heard == [(0, "1"), (0, "2"), (0, "3")]


async def test_what_was_missed_comes_before_what_is_new_and_in_the_same_order() -> None:
    """It may hold what is later than what still waits for its tenant's turn."""
    world = World()
    late, (_, missed) = world.said(B), world.said(A)
    world.keep_waiting("acme")
    world.hub.join(Listener(V3Renderer(), lambda _: None, (B,), *NOBODY))
    world.arrive(late)
    world.channels.begin([missed])
    await until(lambda: len(world.heard) == 2)
    assert world.texts == ["1", "2"]
    world.channels.end()


async def test_a_gap_is_told_once_though_each_channel_is_told(world: World) -> None:
    world.arrive(world.said(A))
    await until(lambda: world.heard)
    for _ in range(2):
        world.hub.tell_listeners(CHANNELS, [gap_message(NOW, NOW)])
    await until(lambda: len(world.heard) >= 3)
    assert world.heard == [(1, "1"), (1, "None"), (1, "None")]


async def test_heartbeats_of_v2_are_not_heard(world: World) -> None:
    heartbeat = said('{"type":"heartbeat"}', msg_type="heartbeat")
    world.arrive((A, heartbeat), world.said(A))
    await until(lambda: world.heard)
    assert world.texts == ["1"]


async def test_the_position_of_a_quiet_one_grows_once_everything_before_it_is_heard(world: World) -> None:
    found: list[tuple[int, list[str]]] = []
    world.arrive(world.said(A))
    world.channels.find_position(lambda: found.append((world.channels.position, world.texts)))
    world.marks.asked[0](7)
    assert found == [(7, ["1"])]
    world.channels.find_position(lambda: found.append((0, [])))
    world.marks.asked[1](0)
    assert len(found) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_whoever_has_ended_hears_nothing_more(when: Literal["before", "after"]) -> None:
    world = World()
    world.channels.begin()
    ears = [iter(world.hub.begin(A, [world.said(A)[1]]))]
    world.channels.find_position(lambda: world.hear(0, said()))
    if when == "after":
        world.arrive(world.said(B))
    world.channels.end()
    world.channels.end()
    for _ in ears[0]:
        pass
    world.marks.asked[0](9)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.heard == []
