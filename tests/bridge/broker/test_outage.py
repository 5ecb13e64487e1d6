"""What may have been missed is repaired or announced, once, when everything is heard again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

from bridge.broker import outage as module
from bridge.broker.intake import Intake
from bridge.broker.message import BusMessage
from bridge.broker.outage import Outage, Repaired
from tests.bridge.broker.parts import heard_as, numbers_of, until

A, B = b"a", b"b"


class Repairing:
    """A repair that finds what the test says, when it says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[Repaired], None]] = []
        self.announced: list[tuple[set[bytes], float]] = []

    def begin(self, done: Callable[[Repaired], None]) -> None:
        self.asked.append(done)

    def announce(self, channels: Collection[bytes], seconds: float) -> None:
        self.announced.append((set(channels), seconds))


class Losing:
    """A subscriber's link that can be lost; what is handed on, and what is announced to everybody."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.handed_on: list[tuple[bytes, int]] = []
        self.gaps: list[float] = []
        self.whole = 0
        self.is_linked = True
        self.intake = Intake(self._deliver, Counter())
        for channel in (A, B):
            self.intake.arrivals.begin(channel)
        self.outage = Outage(self.intake, lambda: self.is_linked, self.gaps.append)
        self.outage.whole.add(self._note_whole)
        self.missing: list[bytes] = []
        self.outage.missing.add(self.missing.append)
        self.repair = Repairing()

    def _note_whole(self) -> None:
        assert self.outage.is_over
        self.whole += 1

    def _deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        self.handed_on += [(channel, number) for number in numbers_of(batch)]

    def lose(self, seconds_ago: float = 5.0) -> None:
        self.is_linked = False
        self.outage.lost(self.now() - seconds_ago)

    def open(self) -> None:
        """A new link, on which the channels are not confirmed yet."""
        self.outage.opened()
        self.outage.end_if_whole()

    def confirm(self) -> None:
        self.is_linked = True
        self.outage.end_if_whole()

    def lose_and_come_back(self) -> None:
        self.lose()
        self.open()
        self.confirm()

    def arrive(self, channel: bytes, number: int) -> None:
        self.intake.take(channel, [heard_as(number)])

    def find(self, *found: tuple[bytes, int], unproven: Collection[bytes] = ()) -> None:
        """What the repair that was asked last has found."""
        self.repair.asked[-1](Repaired([(channel, [heard_as(number)]) for channel, number in found], unproven))


@pytest.fixture
async def losing(anyio_backend: Any) -> Losing:
    return Losing()


@pytest.fixture
async def repaired(losing: Losing) -> Losing:
    """One with a history to repair from."""
    losing.outage.repair = losing.repair
    return losing


class TestWithoutAHistory:
    async def test_a_gap_is_announced_to_everybody_when_everything_is_heard_again(self, losing: Losing) -> None:
        losing.lose()
        losing.open()
        assert (losing.gaps, losing.outage.is_over) == ([], False)
        losing.confirm()
        assert losing.gaps == [pytest.approx(5.0, abs=1.0)]
        assert (losing.outage.is_over, losing.outage.gaps, losing.whole) == (True, 1, 1)
        losing.outage.end_if_whole()
        assert losing.outage.gaps == 1

    async def test_what_arrives_meanwhile_is_handed_on_at_once(self, losing: Losing) -> None:
        losing.lose()
        losing.open()
        losing.arrive(A, 1)
        assert losing.handed_on == [(A, 1)]

    async def test_it_is_not_over_while_the_link_leads_to_the_wrong_server(self, losing: Losing) -> None:
        losing.outage.is_trusted = lambda: False
        losing.lose_and_come_back()
        assert losing.gaps == []
        losing.outage.is_trusted = lambda: True
        losing.outage.end_if_whole()
        assert len(losing.gaps) == 1

    async def test_it_began_when_it_was_first_doubted(self, losing: Losing) -> None:
        losing.outage.doubt(losing.now() - 9)
        losing.outage.doubt(losing.now() - 3)
        losing.lose()
        losing.open()
        losing.confirm()
        assert losing.gaps == [pytest.approx(9.0, abs=1.0)]

    async def test_a_gap_that_was_announced_covers_one_that_began_little_later(self, losing: Losing) -> None:
        begun_at = losing.now() - 5
        losing.lose()
        losing.open()
        losing.confirm()
        over_at = losing.now()
        assert losing.outage.has_announced(begun_at, over_at - 1)
        assert losing.outage.has_announced(begun_at - module.COVERED_SECONDS / 2, over_at - 1)
        assert not losing.outage.has_announced(begun_at - 2 * module.COVERED_SECONDS, over_at - 1)
        assert not losing.outage.has_announced(begun_at, over_at + 1)


class TestWithAHistory:
    async def test_what_was_missed_comes_first_and_then_what_has_arrived_since(self, repaired: Losing) -> None:
        repaired.lose_and_come_back()
        repaired.arrive(A, 3)
        repaired.arrive(B, 4)
        assert repaired.handed_on == []
        repaired.find((A, 1), (B, 2), (A, 3))
        assert repaired.handed_on == [(A, 1), (B, 2), (A, 3), (B, 4)]
        assert (repaired.repair.announced, repaired.gaps) == ([], [])
        assert (repaired.outage.repaired, repaired.outage.gaps, repaired.whole) == (1, 0, 1)

    async def test_what_is_still_on_its_way_is_not_handed_on_twice(self, repaired: Losing) -> None:
        repaired.lose_and_come_back()
        repaired.find((A, 1))
        repaired.arrive(A, 1)
        repaired.arrive(A, 3)
        assert repaired.handed_on == [(A, 1), (A, 3)]

    async def test_where_it_is_not_proven_only_the_listeners_there_are_told(self, repaired: Losing) -> None:
        repaired.lose_and_come_back()
        repaired.arrive(A, 3)
        repaired.find((B, 2), unproven={A})
        assert repaired.handed_on == [(B, 2), (A, 3)]
        ((channels, seconds),) = repaired.repair.announced
        assert channels == {A}
        assert seconds == pytest.approx(5.0, abs=1.0)
        assert (repaired.gaps, repaired.outage.gaps, repaired.outage.repaired) == ([], 1, 0)
        assert repaired.missing == [A]

    async def test_what_could_not_be_withheld_is_announced_too(
        self, repaired: Losing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bridge.broker.intake.MOST_BYTES", 0)
        repaired.lose_and_come_back()
        repaired.arrive(B, 3)
        repaired.find()
        assert [channels for channels, _ in repaired.repair.announced] == [{B}]

    async def test_what_is_found_for_a_link_that_is_lost_again_is_not_used(self, repaired: Losing) -> None:
        repaired.lose_and_come_back()
        repaired.arrive(A, 2)
        repaired.lose()
        repaired.find((A, 1), (A, 2))
        assert repaired.handed_on == []
        repaired.open()
        repaired.confirm()
        assert len(repaired.repair.asked) == 2
        repaired.find((A, 1), (A, 2))
        assert repaired.handed_on == [(A, 1), (A, 2)]
        assert (repaired.outage.repaired, repaired.whole) == (1, 1)

    async def test_it_is_repaired_once_at_a_time(self, repaired: Losing) -> None:
        repaired.lose_and_come_back()
        repaired.outage.end_if_whole()
        assert len(repaired.repair.asked) == 1
        repaired.find()
        repaired.repair.asked[0](Repaired([(A, [heard_as(1)])]))
        assert (repaired.handed_on, repaired.whole) == ([], 1)

    async def test_a_doubt_without_a_lost_link_is_repaired_too(self, repaired: Losing) -> None:
        repaired.arrive(A, 1)
        repaired.outage.doubt(repaired.now() - 3)
        repaired.outage.end_if_whole()
        repaired.arrive(A, 3)
        repaired.find((A, 2))
        assert repaired.handed_on == [(A, 1), (A, 2), (A, 3)]

    async def test_what_was_found_while_the_link_is_doubted_again_is_handed_on_and_it_is_not_over(
        self, repaired: Losing
    ) -> None:
        repaired.lose_and_come_back()
        repaired.outage.is_trusted = lambda: False
        repaired.find((A, 1), unproven={B})
        assert repaired.handed_on == [(A, 1)]
        assert [channels for channels, _ in repaired.repair.announced] == [{B}]
        assert (repaired.outage.is_over, repaired.whole) == (False, 0)
        repaired.outage.is_trusted = lambda: True
        repaired.outage.end_if_whole()
        repaired.find()
        assert (repaired.outage.is_over, repaired.whole) == (True, 1)

    async def test_what_waits_too_long_is_handed_on_and_a_gap_announced_to_everybody(
        self, repaired: Losing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "WITHHOLD_SECONDS", 0.01)
        repaired.lose()
        repaired.open()
        repaired.arrive(A, 3)
        await until(lambda: repaired.handed_on)
        assert repaired.handed_on == [(A, 3)]
        repaired.arrive(A, 4)
        assert repaired.handed_on == [(A, 3), (A, 4)]
        assert not repaired.outage.is_over
        repaired.confirm()
        assert (len(repaired.gaps), repaired.repair.asked, repaired.whole) == (1, [], 1)
        assert repaired.missing == [A, B]
        repaired.lose_and_come_back()
        assert len(repaired.repair.asked) == 1

    async def test_a_link_that_was_lost_meanwhile_gives_up_nothing_of_the_next(
        self, repaired: Losing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "WITHHOLD_SECONDS", 0.01)
        repaired.lose()
        repaired.open()
        repaired.lose()
        await asyncio.sleep(0.05)
        assert repaired.intake.is_withholding

    async def test_what_is_being_repaired_is_not_given_up(
        self, repaired: Losing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "WITHHOLD_SECONDS", 0.01)
        repaired.lose_and_come_back()
        await asyncio.sleep(0.05)
        assert repaired.intake.is_withholding
        repaired.find()
        assert (repaired.gaps, repaired.whole) == ([], 1)
