"""When a socket is read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from bridge.budget import accounts as budgets
from bridge.budget.accounts import Account, Allowance, Holder
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets import reader as readers
from bridge.sockets.framing import Extent
from bridge.sockets.reader import Reader
from bridge.sockets.receive_buffer import ReceiveBuffer
from tests.bridge.broker.parts import until

FRAME = Frame(Opcode.TEXT, b"").serialize(mask=True)
LARGE_FRAME = Frame(Opcode.TEXT, b"x" * 10_000).serialize(mask=True)


class Source:
    """A socket that notes what was done with it."""

    def __init__(self, **budget: Any) -> None:
        self.budget = Budget(Settings.model_validate({"budget": budget}).limits)
        self.holder = Holder()
        self.reader = Reader(self, self.budget, self.holder)
        self.may_read = True
        self.is_stopped = False
        self.count = self.refused = self.floods = 0
        self.seconds_each = 0.0
        self.beginnings: list[int] = []

    def read(self, buffer: bytes, where: Extent) -> None:
        assert buffer[where.head] == FRAME[0]
        self.count += 1
        if self.seconds_each:
            ends_at = time.perf_counter() + self.seconds_each
            while time.perf_counter() < ends_at:
                pass

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        self.refused += 1

    def judge_beginning(self, unread: ReceiveBuffer) -> None:
        self.beginnings.append(len(unread))

    def end_flood(self) -> None:
        self.floods += 1
        self.reader.end()

    def stop_reading(self) -> None:
        self.is_stopped = True

    def start_reading(self) -> None:
        self.is_stopped = False


async def test_what_is_little_is_read_at_once() -> None:
    source = Source()
    source.reader.add(FRAME * 20)
    assert (source.count, source.is_stopped) == (20, False)


async def test_no_more_is_read_in_one_go_than_a_turn_allows() -> None:
    source = Source()
    source.seconds_each = 0.001
    source.reader.add(FRAME * 1_000)
    assert source.count < 100
    assert source.is_stopped
    source.seconds_each = 0
    await until(lambda: source.count == 1_000)
    assert not source.is_stopped


async def test_a_frame_that_comes_in_crumbs_is_paid_for_by_the_crumb() -> None:
    source = Source()
    source.reader.holder = Holder([Account(Allowance(milliseconds=20), time.monotonic())])
    source.reader.holder.spend(0, 0, 19)
    crumbs = 0
    while not source.is_stopped:
        source.reader.add(LARGE_FRAME[crumbs : crumbs + 1])
        crumbs += 1
    assert crumbs < 100
    await until(lambda: not source.is_stopped)
    source.reader.add(LARGE_FRAME[crumbs:])
    await until(lambda: source.count == 1)


async def test_the_beginning_of_a_frame_is_judged_also_when_it_had_to_wait() -> None:
    source = Source()
    account = Account(Allowance(milliseconds=1_000), time.monotonic())
    source.reader.holder = Holder([account])
    source.reader.holder.spend(0, 0, 1_001)
    source.reader.add(LARGE_FRAME[:20])
    assert (source.is_stopped, source.beginnings) == (True, [])
    await until(lambda: source.beginnings == [20])


async def test_two_that_flood_are_read_in_turns() -> None:
    one, other = Source(), Source()
    other.budget = one.budget
    other.reader = Reader(other, one.budget, other.holder)
    one.seconds_each = other.seconds_each = 0.000_1
    one.reader.add(FRAME * 2_000)
    other.reader.add(FRAME * 100)
    await until(lambda: other.count == 100)
    assert one.count < 1_000


async def test_a_connection_gets_what_it_may_have_and_then_waits() -> None:
    source = Source(connection={"frames": 400, "bytes": 0, "milliseconds": 0}, turn_milliseconds=100)
    began = time.monotonic()
    source.reader.add(FRAME * 650)
    at_once = source.count
    assert 400 <= at_once < 500
    assert source.is_stopped
    await until(lambda: source.count == 650)
    assert time.monotonic() - began >= 0.5


async def test_what_its_holder_has_spent_is_waited_for_and_not_held_against_it() -> None:
    source = Source()
    holder = source.reader.holder = Source(
        address={"frames": 100, "bytes": 0, "milliseconds": 0}, process={"milliseconds": 0}
    ).budget.stranger("192.0.2.1")
    holder.spend(0, 120, 0)
    source.reader.add(FRAME)
    assert (source.count, source.is_stopped) == (0, True)
    await until(lambda: source.count == 1)
    assert (source.refused, source.floods) == (0, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "REFUSED_AFTER_SECONDS", 0.3)
    monkeypatch.setattr(budgets, "PATIENCE_SECONDS", 0.6)


@pytest.mark.usefixtures("impatient")
async def test_who_is_over_on_end_is_refused_unread_and_at_last_ended() -> None:
    source = Source(connection={"frames": 400, "bytes": 0, "milliseconds": 0})
    began = time.monotonic()
    while not source.floods:
        source.reader.add(FRAME * 100)
        await until(lambda: not source.is_stopped or source.floods > 0)
    assert source.count < 400 * (1 + time.monotonic() - began) + 100
    assert source.refused > 0
    assert source.budget.over == {"refused_unread": source.refused, "flood_ended": 1}
    count = source.count
    source.reader.add(FRAME)
    assert source.count == count


async def test_nothing_is_read_while_nobody_takes_it() -> None:
    source = Source()
    source.may_read = False
    source.reader.add(FRAME)
    assert (source.count, source.is_stopped) == (0, True)
    source.may_read = True
    source.reader.look()
    assert (source.count, source.is_stopped) == (1, False)


async def test_after_its_end_nothing_is_read_or_kept() -> None:
    source = Source()
    source.seconds_each = 0.001
    source.reader.add(FRAME * 1_000)
    count = source.count
    assert source.holder.waiting == 1
    source.reader.end()
    assert (source.reader.unread, source.holder.waiting) == (None, 0)
    await until(lambda: not source.holder.is_listed)
    assert source.count == count
    assert readers.SLICE_FRAMES <= 64
