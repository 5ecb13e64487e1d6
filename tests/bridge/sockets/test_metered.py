"""Requests that wait for their turn, and pay for their time."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from bridge.budget.accounts import Account
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets import metered
from bridge.sockets.metered import Metered, charge
from bridge.sockets.ports import CHARGE, WHEN_GONE, nothing
from tests.bridge.broker.parts import until

ADDRESS = "192.0.2.1"
LITTLE: dict[str, Any] = {"address": {"milliseconds": 10, "frames": 0, "bytes": 0}, "process": {"milliseconds": 0}}


def busy(seconds: float) -> None:
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        pass


def spent_milliseconds(budget: Budget) -> float:
    """What the address has spent."""
    account = budget.stranger(ADDRESS).accounts[0]
    assert isinstance(account, Account)
    return account.spent_milliseconds


class Served:
    """An application that is asked again and again; it takes its time before and after it waits."""

    def __init__(self, seconds: float = 0.0, budget: dict[str, Any] | None = None) -> None:
        self.seconds = seconds
        self.budget = Budget(Settings.model_validate({"budget": budget or {}}).limits)
        self.metered = Metered(self.application, self.budget, lambda scope: scope["client"][0])
        self.done: list[str] = []
        self.sent: list[Any] = []

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        busy(self.seconds)
        await asyncio.sleep(0)
        busy(self.seconds)
        if scope["path"] == "/broken":
            raise ZeroDivisionError
        self.done.append(scope["path"])

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, path: str = "/", address: str = ADDRESS, kind: str = "http", told: Any = str) -> None:
        """`told` is given what is to be called once nobody is there any more."""
        scope: Any = {"type": kind, "path": path, "client": (address, 1), "headers": [], "method": "GET"}
        scope["extensions"] = {WHEN_GONE: told, "websocket.http.response": {}}
        await self.metered(scope, asyncio.Event().wait, self.send)  # type: ignore[arg-type]


async def test_every_step_is_charged_to_the_address() -> None:
    served = Served(0.005)
    await served.ask()
    assert spent_milliseconds(served.budget) >= 10


async def test_of_many_steps_that_are_ready_at_once_each_turn_has_some() -> None:
    served, go_on, done = Served(), asyncio.Event(), 0

    async def application(*_: Any) -> None:
        nonlocal done
        await go_on.wait()
        busy(0.002)
        done += 1

    served.metered = Metered(application, served.budget, lambda scope: scope["client"][0])
    asked = [asyncio.create_task(served.ask(address=f"192.0.2.{number}")) for number in range(40)]
    await until(lambda: len(go_on._waiters) == len(asked))
    go_on.set()
    seen = [0]
    while done < len(asked):
        await asyncio.sleep(0)
        seen.append(done)
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 2
    await asyncio.gather(*asked)


async def test_one_that_waits_to_go_on_can_be_cancelled() -> None:
    served = Served()
    waiting = asyncio.create_task(served.ask())
    while not spent_milliseconds(served.budget):  # noqa: ASYNC110 - nothing tells when it has begun
        await asyncio.sleep(0)
    served.budget.turns.stepped(served.budget.stranger(ADDRESS), 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert served.done == []


async def test_who_has_spent_all_waits_and_others_do_not() -> None:
    served = Served(0, LITTLE)
    served.budget.stranger(ADDRESS).spend(0, 0, 20)
    waiting = asyncio.create_task(served.ask("/waits"))
    await served.ask("/other", "192.0.2.2")
    assert served.done == ["/other"]
    await waiting
    assert served.done == ["/other", "/waits"]


async def test_those_who_wait_are_served_in_order() -> None:
    served = Served(0, LITTLE)
    served.budget.stranger(ADDRESS).spend(0, 0, 11)
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(served.ask(f"/{number}"))
    assert served.done == [f"/{number}" for number in range(20)]


async def test_too_many_that_wait_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metered, "MOST_WAITING", 3)
    served = Served(0, LITTLE)
    served.budget.stranger(ADDRESS).spend(0, 0, 20)
    waiting = [asyncio.create_task(served.ask()) for _ in range(3)]
    await until(lambda: served.budget.stranger(ADDRESS).waiting == 3)
    await served.ask("/fourth")
    assert served.sent[0]["status"] == 503
    assert b"retry-after" in dict(served.sent[0]["headers"])
    assert served.budget.over["request_refused"] == 1
    await asyncio.gather(*waiting)
    assert len(served.done) == 3


async def test_a_handshake_that_has_waited_for_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else is: a request has a client that can wait."""
    monkeypatch.setattr(metered, "WAIT_SECONDS", 0.01)
    served = Served(0, LITTLE)
    holder = served.budget.stranger(ADDRESS)
    holder.spend(0, 0, 20)
    request = asyncio.create_task(served.ask("/request"))
    await served.ask("/handshake", kind="websocket")
    assert (served.done, holder.waiting) == ([], 1)
    assert served.sent[0]["status"] == 503
    assert b"retry-after" in dict(served.sent[0]["headers"])
    assert served.budget.over["request_refused"] == 1
    await request
    assert served.done == ["/request"]


async def test_whoever_is_gone_leaves_the_line_at_once_and_is_not_served() -> None:
    served, leave = Served(0, LITTLE), list[Any]()
    holder = served.budget.stranger(ADDRESS)
    holder.spend(0, 0, 20)
    gone = asyncio.create_task(served.ask("/gone", told=leave.append))
    stays = asyncio.create_task(served.ask("/stays"))
    await until(lambda: holder.waiting == 2)
    leave[0]()
    assert holder.waiting == 1
    await gone
    assert served.done == served.sent == []
    await stays
    assert served.done == ["/stays"]


async def test_once_its_turn_has_come_nobody_keeps_what_waited() -> None:
    served, leave = Served(0, LITTLE), list[Any]()
    served.budget.stranger(ADDRESS).spend(0, 0, 11)
    await served.ask(told=leave.append)
    assert [call is nothing for call in leave] == [False, True]


async def test_what_fails_in_the_application_fails_for_whoever_serves_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await Served().ask("/broken")


async def test_a_request_that_is_cancelled_ends() -> None:
    served = Served()
    began = asyncio.Event()

    async def for_ever(_scope: Any, _receive: Any, _send: Any) -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            served.done.append("ended")

    served.metered = Metered(for_ever, served.budget, lambda _: ADDRESS)
    task = asyncio.create_task(served.ask())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert served.done == ["ended"]


async def test_who_still_waits_when_the_server_stops_is_told_to_come_back() -> None:
    served = Served(0, LITTLE)
    served.budget.stranger(ADDRESS).spend(0, 0, 1_000)
    task = asyncio.create_task(served.ask())
    await until(lambda: bool(served.budget.stranger(ADDRESS).waiting))
    task.cancel()
    await task
    assert (served.sent[0]["status"], served.done) == (503, [])


async def test_who_turns_out_to_hold_a_key_pays_as_well() -> None:
    served = Served()
    holder = Served(0, LITTLE).budget.stranger("a key")

    async def known(scope: Any, _receive: Any, _send: Any) -> None:
        served.done.append(str(charge(scope, holder)))
        busy(0.012)
        await asyncio.sleep(0)

    served.metered = Metered(known, served.budget, lambda _: ADDRESS)
    await served.ask()
    await served.ask()
    assert served.done == ["True", "False"]


async def test_without_a_meter_nobody_is_charged() -> None:
    holder = Served(0, LITTLE).budget.stranger("a key")
    assert charge({"type": "http"}, holder)
    assert CHARGE not in {"type": "http"}
