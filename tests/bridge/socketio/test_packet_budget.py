"""When a packet of a session that polls is handled, and who pays for it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.budget.accounts import Account, Allowance, Holder
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.socketio.packet_budget import PacketBudget
from tests.bridge.broker.parts import ANSWER_SECONDS

THOUSANDTH = Allowance(bytes=1_000, frames=1_000, milliseconds=1_000)


@pytest.fixture
async def budget() -> Budget:
    return Budget(Settings().limits)


async def test_whoever_owes_nothing_goes_on_at_once(budget: Budget) -> None:
    one = PacketBudget(budget, "192.0.2.1")
    async with asyncio.timeout(ANSWER_SECONDS):
        await one.turn(one.stranger)
    assert one.stranger is budget.stranger("192.0.2.1")


async def test_a_packet_is_charged_to_the_session_and_to_whoever_pays(budget: Budget) -> None:
    one = PacketBudget(budget, "192.0.2.1")
    account = Account(THOUSANDTH, 0.0)
    one.spent(Holder([account]), 100, 0.5)
    assert (account.spent_bytes, account.spent_milliseconds) == (100, 0)
    assert (one._account.spent_bytes, one._account.spent_milliseconds) == (100, 500)


async def test_where_the_payer_is_overdrawn_the_packet_waits_in_its_queue(budget: Budget) -> None:
    one = PacketBudget(budget, "192.0.2.1")
    payer = Holder([Account(THOUSANDTH, asyncio.get_running_loop().time())])
    payer.spend(10**9, 0, 0)
    waiting = asyncio.create_task(one.turn(payer))
    await asyncio.sleep(0)
    assert (payer.waiting, waiting.done()) == (1, False)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert payer.waiting == 0
