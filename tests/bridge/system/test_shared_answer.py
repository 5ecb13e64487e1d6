"""One answer for all who ask at the same time, and never one that was begun before."""

from __future__ import annotations

import asyncio

import pytest

from bridge.system.shared_answer import SharedAnswer


class Finder:
    """Answers with how many were begun, when the test lets it."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Semaphore(0)
        self.fresh = SharedAnswer(self.find)

    async def find(self, name: str) -> str:
        self.begun += 1
        number = self.begun
        await self.may_end.acquire()
        if name == "broken":
            raise ValueError(name)
        return f"{name} {number}"


async def test_all_who_ask_meanwhile_share_the_next_answer() -> None:
    finder = Finder()
    first = asyncio.create_task(finder.fresh.of("acme"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(finder.fresh.of("acme")) for _ in range(20)]
    await asyncio.sleep(0)
    for _ in range(2):
        finder.may_end.release()
    assert await first == "acme 1"
    assert await asyncio.gather(*later) == ["acme 2"] * 20
    assert finder.begun == 2


async def test_whoever_asks_afterwards_gets_a_new_one_and_nothing_is_kept() -> None:
    finder = Finder()
    for _ in range(2):
        finder.may_end.release()
    assert [await finder.fresh.of("acme"), await finder.fresh.of("acme")] == ["acme 1", "acme 2"]
    assert (finder.fresh._asking, finder.fresh._turns, finder.fresh._found) == ({}, {}, {})


async def test_another_name_does_not_wait() -> None:
    finder = Finder()
    waiting = asyncio.create_task(finder.fresh.of("acme"))
    other = asyncio.create_task(finder.fresh.of("other"))
    await asyncio.sleep(0)
    assert finder.begun == 2
    for _ in range(2):
        finder.may_end.release()
    assert [await waiting, await other] == ["acme 1", "other 2"]


async def test_what_fails_fails_for_each_who_asked() -> None:
    finder = Finder()
    for _ in range(4):
        finder.may_end.release()
    found = await asyncio.gather(*(finder.fresh.of("broken") for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError] * 3
    with pytest.raises(ValueError, match="broken"):
        await finder.fresh.of("broken")
