"""JOIN and LEAVE: said together, soon, in order, and not at all in large groups."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.broker import presence_events as presence_events_module
from bridge.broker.history import HistoryOptions
from bridge.broker.presence_events import PresenceEvents
from tests.bridge.broker.histories import keeping
from tests.bridge.broker.parts import until
from tests.bridge.broker.people import GROUP, TENANT, Process, Witness, place, running_process, witnessing
from tests.conftest import StartRedis
from tests.proxy import proxy_to
from tests.stopwatch import Stopwatch

PROMISED_SECONDS = 0.25


def who(client: str) -> dict[str, Any]:
    return {"client_id": client, "protocol": "v3", "since": "2026-01-01T00:00:00.000000Z"}


async def test_events_of_one_group_are_said_together_and_soon(redis_url: str, prefix: str) -> None:
    async with running_process(redis_url, prefix) as process, witnessing(redis_url, prefix) as witness:
        stopwatch = Stopwatch()
        for number in range(50):
            process.events.say("JOIN", TENANT, GROUP, who(f"c{number}"), number)
        published = process.bus.published
        assert published == 0
        assert [await witness.event() for _ in range(50)] == [("JOIN", f"c{number}") for number in range(50)]
        assert stopwatch.all_seconds > 0.1
        assert stopwatch.least_seconds < PROMISED_SECONDS + 0.1


@pytest.mark.parametrize("has_room", [True, False])
async def test_they_are_kept_for_who_comes_back_as_long_as_there_is_room(
    redis_url: str,
    prefix: str,
    has_room: bool,  # noqa: FBT001
) -> None:
    async with keeping(redis_url, prefix, HistoryOptions(seconds=60, most_bytes=100_000 if has_room else 1)) as process:
        position = (await process.read(process.group)).read_at
        events = PresenceEvents(process.bus, process.addresses, lambda: 0, 10, process.history)
        events.say("JOIN", "acme", "team", who("ann"), 1)
        events.say("JOIN", "acme", "team", who("ben"), 2)
        events.flush()
        await process.bus.wait_until_answered()
        kept = await process.read(process.group)
        assert [one.heard.cmd for _, one in kept.messages] == ["JOIN", "JOIN"] * has_room
        assert (process.history.budget.size_bytes > 0, process.history.budget.not_kept) == (has_room, not has_room)
        assert kept.is_whole_since(position, 60) == has_room


async def test_an_event_that_comes_later_is_said_later(redis_url: str, prefix: str) -> None:
    async with running_process(redis_url, prefix) as process, witnessing(redis_url, prefix) as witness:
        process.events.say("JOIN", TENANT, GROUP, who("ann"), 1)
        assert await witness.event() == ("JOIN", "ann")
        process.events.say("LEAVE", TENANT, GROUP, who("ann"), 0)
        assert await witness.event() == ("LEAVE", "ann")


async def test_each_group_hears_its_own(redis_url: str, prefix: str) -> None:
    async with (
        running_process(redis_url, prefix) as process,
        witnessing(redis_url, prefix) as here,
        witnessing(redis_url, prefix, "other") as there,
    ):
        process.events.say("JOIN", TENANT, GROUP, who("ann"), 1)
        process.events.say("JOIN", TENANT, "other", who("ben"), 1)
        assert await here.heard_of(process) == [("JOIN", "ann")]
        assert await there.heard_of(process) == [("JOIN", "ben")]


async def test_large_groups_hear_nothing(redis_url: str, prefix: str) -> None:
    async with (
        running_process(redis_url, prefix, most_members=3) as process,
        witnessing(redis_url, prefix) as witness,
    ):
        await process.enter(*(place(f"c{number}") for number in range(5)))
        await process.leave(*(place(f"c{number}") for number in range(5)))
        heard = await witness.heard_of(process)
        assert heard == [("LEAVE", f"c{number}") for number in range(2, 5)]
        assert process.events.suppressed == 7


async def test_what_was_to_be_said_of_a_group_that_has_grown_large_is_not_said(redis_url: str, prefix: str) -> None:
    async with (
        running_process(redis_url, prefix, most_members=3) as process,
        witnessing(redis_url, prefix) as witness,
    ):
        await process.enter(*(place(f"c{number}") for number in range(4)))
        assert await witness.heard_of(process) == []
        assert process.events.suppressed == 4


async def test_where_no_events_are_wanted_even_the_last_leaves_unsaid(redis_url: str, prefix: str) -> None:
    async with (
        running_process(redis_url, prefix, most_members=0) as process,
        witnessing(redis_url, prefix) as witness,
    ):
        await process.enter(place("ann"))
        await process.leave(place("ann"))
        assert await witness.heard_of(process) == []


async def test_what_waits_for_one_group_is_bounded_and_the_rest_counted(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_events_module, "MAX_EVENTS_PER_GROUP", 10)
    async with running_process(redis_url, prefix) as process, witnessing(redis_url, prefix) as witness:
        for number in range(15):
            process.events.say("JOIN", TENANT, GROUP, who(f"c{number}"), 1)
        assert len(await witness.heard_of(process)) == 10
        assert process.events.suppressed == 5


async def test_what_cannot_be_said_while_redis_is_away_is_said_when_it_is_back(
    redis_server: StartRedis, prefix: str
) -> None:
    """Away for who speaks. Who hears has links of its own, which may come back later: that is announced to it."""
    server = redis_server()
    async with (
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix) as process,
        witnessing(server.url, prefix) as witness,
    ):
        proxy.swallow()
        proxy.reset()
        await until(lambda: not process.bus.is_up)
        process.events.say("LEAVE", TENANT, GROUP, who("ann"), 1)
        await asyncio.sleep(2 * presence_events_module.DELAY_SECONDS)
        proxy.up.swallows = proxy.down.swallows = False
        assert await witness.event() == ("LEAVE", "ann")
        assert await witness.heard_of(process) == []


@pytest.fixture
async def three(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Process, Process, Witness]]:
    """Two processes, each of which says what happened to it when it is asked to, and who hears them."""
    monkeypatch.setattr(presence_events_module, "DELAY_SECONDS", 3_600.0)
    async with (
        running_process(redis_url, prefix, "p1") as first,
        running_process(redis_url, prefix, "p2") as second,
        witnessing(redis_url, prefix) as witness,
    ):
        yield first, second, witness


@pytest.mark.parametrize("late", ["the old one", "the new one"])
async def test_the_last_word_about_a_client_that_moves_to_another_process_is_true(
    three: tuple[Process, Process, Witness], late: str
) -> None:
    """Both processes say what happened to them, each after a delay of its own: in either order."""
    first, second, witness = three
    await first.enter(place("ann"))
    assert await witness.heard_of(first) == [("JOIN", "ann")]
    for old, new in [(first, second), (second, first)] * 5:
        await old.leave(place("ann"))
        await new.enter(place("ann"))
        one, other = (new, old) if late == "the old one" else (old, new)
        heard = [*await witness.heard_of(one), *await witness.heard_of(other)]
        assert heard[-1] == ("JOIN", "ann")


async def test_the_last_word_about_a_client_that_leaves_elsewhere_is_true(
    three: tuple[Process, Process, Witness],
) -> None:
    """Its JOIN still waits in one process when another, the timer of which began before, has said its LEAVE."""
    first, second, witness = three
    for one, other in [(first, second), (second, first)]:
        await one.enter(place("ann"))
        await other.enter(place("ann"))
        await one.leave(place("ann"))
        await other.leave(place("ann"))
        heard = [*await witness.heard_of(other), *await witness.heard_of(one)]
        assert heard[-1] == ("LEAVE", "ann")
    await first.enter(place("ben"))
    await first.leave(place("ben"))
    assert await witness.heard_of(first) == [("JOIN", "ben"), ("LEAVE", "ben")]


async def test_a_client_that_came_and_went_everywhere_is_gone_in_the_end(redis_url: str, prefix: str) -> None:
    """However the processes' words interleave, the last is true for each client."""
    async with (
        running_process(redis_url, prefix, "p1") as first,
        running_process(redis_url, prefix, "p2") as second,
        witnessing(redis_url, prefix) as witness,
    ):
        clients = [place(f"c{number}") for number in range(30)]
        where: dict[str, Any] = {}
        for _ in range(400):
            one = random.choice(clients)
            process = random.choice([first, second])
            if one.client in where:
                where.pop(one.client).presence.leave(one)
            if random.random() < 0.6:
                where[one.client] = process
                process.presence.enter(one, lambda: None)
            if random.random() < 0.2:
                await asyncio.sleep(random.random() * 0.05)
        await first.settled()
        await second.settled()
        last = {client: event for event, client in await witness.heard_of(first, second)}
        assert {client for client, event in last.items() if event == "JOIN"} == set(where)
