"""Whose turn it is."""

from __future__ import annotations

import asyncio
import itertools
import time

from structlog.testing import capture_logs

from bridge.budget.accounts import UNBOUNDED, Account, Allowance, Holder
from bridge.budget.turns import Turns
from tests.bridge.broker.parts import until

TURN_SECONDS = 0.002


class Pieces:
    """So much work of one holder, each piece as long as a turn; what was done is noted in `done`."""

    def __init__(self, turns: Turns, holder: Holder, number: int, name: str, done: list[str]) -> None:
        self.turns, self.holder, self.number, self.name, self.done = turns, holder, number, name, done
        turns.wait(holder, self)

    def go_on(self) -> None:
        began = time.perf_counter()
        while time.perf_counter() - began < TURN_SECONDS:
            pass
        self.done.append(self.name)
        self.number -= 1
        self.turns.spent(self.holder, 0, 1, TURN_SECONDS)
        if self.number:
            self.turns.wait(self.holder, self)


def turns() -> Turns:
    return Turns(TURN_SECONDS, Account(UNBOUNDED, time.monotonic()))


async def test_holders_take_turns_however_much_each_has_to_do() -> None:
    queue, done = turns(), list[str]()
    crowd, alone = Holder(), Holder()
    for _ in range(10):
        Pieces(queue, crowd, 5, "crowd", done)
    Pieces(queue, alone, 3, "alone", done)
    await until(lambda: len(done) == 53)
    assert done.index("alone") <= 2
    assert [name for name in done[:8] if name == "alone"] == ["alone"] * 3


async def test_others_have_the_loop_between_two_turns() -> None:
    queue, done = turns(), list[str]()
    Pieces(queue, Holder(), 50, "flood", done)
    seen = []
    while len(done) < 50:
        seen.append(len(done))
        await asyncio.sleep(0)
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 2


class Priced:
    """A piece that takes no time here, but as long as a turn elsewhere."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.is_done = turns, False

    def go_on(self) -> None:
        self.is_done = True
        self.turns.spent(Holder(), 0, 0, TURN_SECONDS)


async def test_a_turn_is_over_when_what_its_pieces_cost_is_spent() -> None:
    queue, holder = turns(), Holder()
    pieces = [Priced(queue) for _ in range(5)]
    for each in pieces:
        queue.wait(holder, each)
    seen = []
    while not pieces[-1].is_done:
        seen.append(sum(each.is_done for each in pieces))
        await asyncio.sleep(0)
    assert max(after - before for before, after in itertools.pairwise(seen)) == 1


async def test_everybody_is_charged_by_the_clock_of_the_processor_whatever_anyone_measured() -> None:
    everybody = Account(UNBOUNDED, time.monotonic())
    queue, ends_at = Turns(TURN_SECONDS, everybody), time.thread_time() + 0.005
    while time.thread_time() < ends_at:
        pass
    queue.spent(Holder(), 0, 1, 0)
    await until(lambda: everybody.spent_milliseconds >= 5)


async def test_who_finds_nobody_waiting_need_not_wait_until_the_turn_is_spent() -> None:
    queue, holder = turns(), Holder()
    assert queue.may_go_on(holder)
    queue.spent(holder, 0, 1, TURN_SECONDS)
    assert not queue.may_go_on(holder)
    await until(lambda: queue.may_go_on(holder))


async def test_nobody_overtakes_who_waits() -> None:
    queue, done = turns(), list[str]()
    Pieces(queue, Holder(), 1, "waiting", done)
    assert not queue.may_go_on(Holder())
    await until(lambda: bool(done))
    await until(lambda: queue.may_go_on(Holder()))


async def test_a_holder_that_is_overdrawn_sleeps_and_keeps_nobody_waiting() -> None:
    queue, done, now = turns(), list[str](), time.monotonic()
    poor = Holder([Account(Allowance(frames=20), now)])
    poor.spend(0, 22, 0)
    assert not queue.may_go_on(poor)
    Pieces(queue, poor, 2, "poor", done)
    Pieces(queue, Holder(), 20, "rich", done)
    await until(lambda: len(done) == 22)
    assert done.index("poor") >= 1
    assert time.monotonic() - now >= 0.1


async def test_a_holder_whose_work_was_withdrawn_keeps_nobody_waiting_and_may_come_again() -> None:
    queue, done, holder = turns(), list[str](), Holder()
    for _ in range(2):
        gone = Pieces(queue, holder, 1, "gone", done)
        holder.withdraw(gone)
        Pieces(queue, Holder(), 1, "other", done)
        await until(lambda: done[-1:] == ["other"] and not holder.is_listed)
        done.clear()
    Pieces(queue, holder, 1, "again", done)
    await until(lambda: done == ["again"])
    assert queue.errors == 0


async def test_work_that_fails_is_counted_and_the_next_is_done() -> None:
    queue, done, holder = turns(), list[str](), Holder()

    class Broken:
        def go_on(self) -> None:
            raise ZeroDivisionError

    with capture_logs() as logs:
        queue.wait(holder, Broken())
        Pieces(queue, holder, 1, "next", done)
        await until(lambda: done == ["next"])
    assert (queue.errors, [line["event"] for line in logs]) == (1, ["work_failed"])
