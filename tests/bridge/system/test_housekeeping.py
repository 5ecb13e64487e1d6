"""When memory is given back, and what goes with it: decided by how much is in memory, and how many are connected."""

import asyncio
import errno
import gc

import pytest

from bridge.system import allocator
from bridge.system.housekeeping import FEW_CONNECTED, MOST_KEPT, MUCH_BYTES, Housekeeping

LEAST = 80 * 1024 * 1024


class Memory:
    """So much is in memory; what was done about it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resident, self.done = LEAST, list[str]()
        monkeypatch.setattr(allocator, "resident_bytes", lambda: self.resident)
        monkeypatch.setattr(allocator, "give_back", lambda: self.done.append("given back"))
        monkeypatch.setattr(gc, "collect", lambda: self.done.append("looked through"))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


async def grown(memory: Memory, connected: int, more_bytes: int) -> Housekeeping:
    house = Housekeeping(range(connected))
    await house.look()
    memory.resident += more_bytes
    return house


async def test_little_more_than_once_sufficed_is_left_alone(memory: Memory) -> None:
    house = await grown(memory, 0, MUCH_BYTES)
    await house.look()
    assert memory.done == []


async def test_much_more_is_given_back_after_what_keeps_it_was_dropped(memory: Memory) -> None:
    house = await grown(memory, FEW_CONNECTED, MUCH_BYTES + 1)
    await house.look()
    assert memory.done == ["looked through", "given back"]


async def test_where_many_are_connected_nothing_is_looked_through(memory: Memory) -> None:
    house = await grown(memory, FEW_CONNECTED + 1, MUCH_BYTES + 1)
    await house.look()
    assert memory.done == ["given back"]


async def test_what_once_sufficed_is_the_least_there_ever_was(memory: Memory) -> None:
    house = await grown(memory, 0, -MUCH_BYTES)
    await house.look()
    memory.resident = LEAST + 1
    await house.look()
    assert memory.done == ["looked through", "given back"]


async def test_where_no_file_can_be_opened_the_next_look_will_do(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await grown(memory, 0, MUCH_BYTES + 1)

    def fail() -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(allocator, "resident_bytes", fail)
        await house.look()
    assert memory.done == []
    await house.look()
    assert memory.done == ["looked through", "given back"]


async def test_what_is_kept_for_the_next_is_exchanged_for_what_lies_together(memory: Memory) -> None:
    future = asyncio.get_running_loop().create_future()

    def kept() -> set[int]:
        return {id(each) for each in [future.__await__() for _ in range(MOST_KEPT)]}

    before = kept()
    assert kept() & before
    await (await grown(memory, 0, MUCH_BYTES + 1)).look()
    assert kept().isdisjoint(before)


async def test_where_nothing_can_be_given_back_nobody_looks(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.c_library, "is_used", False)
    monkeypatch.setattr("bridge.system.housekeeping.LOOK_SECONDS", 0)
    house = await grown(memory, 0, MUCH_BYTES + 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(house.run(), 0.05)
    assert memory.done == []


async def test_while_there_are_many_objects_in_hand_nothing_is_looked_through(memory: Memory) -> None:
    house = Housekeeping(range(0), lambda: True)
    await house.look()
    memory.resident += MUCH_BYTES + 1
    await house.look()
    assert memory.done == ["given back"]
