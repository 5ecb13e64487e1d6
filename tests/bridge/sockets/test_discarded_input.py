"""What still comes of who is not heard."""

from __future__ import annotations

import time

from bridge.budget.accounts import Account, Allowance, Holder
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets.discarded_input import DiscardedInput
from tests.bridge.broker.parts import until


class Wasteful:
    """A socket that is not heard, of a holder that may spend a millisecond at once and twenty a second."""

    def __init__(self) -> None:
        turns = Budget(Settings().limits).turns
        self.holder = Holder([Account(Allowance(milliseconds=20), time.monotonic())])
        self.holder.spend(0, 0, 19)
        self.is_used = True
        self.waste = DiscardedInput(turns, self.holder, self.stop, self.start)

    def stop(self) -> None:
        self.is_used = False

    def start(self) -> None:
        self.is_used = True


async def test_a_little_of_it_is_read_at_once() -> None:
    socket = Wasteful()
    for _ in range(10):
        socket.waste.came(1)
    assert (socket.is_used, socket.waste.size_bytes) == (True, 10)


async def test_whoever_goes_on_is_read_when_that_is_paid_for() -> None:
    socket = Wasteful()
    reads = 0
    while socket.is_used:
        socket.waste.came(1)
        reads += 1
    assert reads < 100
    await until(lambda: socket.is_used)


async def test_whoever_is_gone_waits_for_no_turn() -> None:
    socket = Wasteful()
    while socket.is_used:
        socket.waste.came(1)
    socket.waste.end()
    assert socket.holder.waiting == 0
