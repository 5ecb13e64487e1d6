"""A report is made in its turn, which lasts until the answer is sent, and is given up with whoever asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.admin.report_answer import ReportAnswer
from bridge.api.errors import AdminRefusal
from bridge.records.report_turns import MOST_OF_A_KEY, ReportTurns


class Asking:
    """Somebody who asks for a report, may leave, and may not read."""

    def __init__(self, turns: ReportTurns) -> None:
        self.made, self.may_read = asyncio.Event(), asyncio.Event()
        self.left = asyncio.Event()
        self.sent: list[Any] = []
        self.sends = asyncio.Event()
        self.is_given_up = False
        self.may_end = asyncio.Event()
        answer: Any = ReportAnswer(turns, "acme", "chief", self.make)
        self.answering = asyncio.create_task(answer({}, self.receive, self.send))

    async def make(self) -> dict[str, int]:
        self.made.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.is_given_up = True
            raise
        return {"total": 1}

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.sends.set()
        await self.may_read.wait()


async def test_it_is_answered_as_json() -> None:
    one = Asking(ReportTurns())
    one.may_end.set()
    one.may_read.set()
    await one.answering
    start = one.sent[0]
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (200, b"application/json")
    assert b"".join(piece["body"] for piece in one.sent[1:]) == b'{"total":1}'


async def test_the_next_of_a_tenant_is_made_when_the_one_before_is_sent() -> None:
    turns = ReportTurns()
    first, second = Asking(turns), Asking(turns)
    first.may_end.set()
    second.may_end.set()
    second.may_read.set()
    await first.sends.wait()
    assert not second.made.is_set()
    first.may_read.set()
    await asyncio.gather(first.answering, second.answering)
    assert second.sent


async def test_it_is_given_up_when_whoever_asked_is_gone() -> None:
    turns = ReportTurns()
    first, second = Asking(turns), Asking(turns)
    await first.made.wait()
    first.left.set()
    await first.answering
    assert (first.is_given_up, first.sent) == (True, [])
    await second.made.wait()
    second.left.set()
    await second.answering


async def test_one_that_waits_for_its_turn_is_given_up_as_well() -> None:
    turns = ReportTurns()
    first, second = Asking(turns), Asking(turns)
    await first.made.wait()
    second.left.set()
    await second.answering
    assert not second.made.is_set()
    first.left.set()
    await first.answering


async def test_what_ends_the_request_from_outside_ends_it() -> None:
    one = Asking(ReportTurns())
    await one.made.wait()
    one.answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one.answering
    assert one.is_given_up


async def test_too_many_of_one_tenant_are_refused() -> None:
    turns = ReportTurns()
    many = [Asking(turns) for _ in range(MOST_OF_A_KEY)]
    with pytest.raises(AdminRefusal) as refused:
        await Asking(turns).answering
    assert (refused.value.status, refused.value.body["code"]) == (503, "overloaded")
    for one in many:
        one.left.set()
    await asyncio.gather(*(one.answering for one in many))
