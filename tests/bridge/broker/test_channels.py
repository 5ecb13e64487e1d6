"""Which channels are wanted, what is asked of Redis for them, and when each is confirmed."""

import asyncio

import pytest

from bridge.broker.channels import CHANNELS_PER_COMMAND, Channels
from bridge.broker.commands import pack


class Asked(Channels):
    """The channels of a subscriber that counts how often it is asked to send."""

    def __init__(self) -> None:
        super().__init__(self.count)
        self.times = 0

    def count(self) -> None:
        self.times += 1


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_neighbours_of_one_kind_are_one_command_and_it_is_asked_for_once(asked: Asked) -> None:
    asked.hold([b"a", b"b"])
    asked.release([b"a"])
    assert asked.times == 1
    assert asked.take_commands() == [pack("SUBSCRIBE", b"a", b"b"), pack("UNSUBSCRIBE", b"a")]
    assert asked.take_commands() == []


async def test_a_command_has_so_many_channels_at_most(asked: Asked) -> None:
    channels = [b"%d" % number for number in range(CHANNELS_PER_COMMAND + 1)]
    asked.hold(channels)
    assert asked.take_commands() == [pack("SUBSCRIBE", *channels[:-1]), pack("SUBSCRIBE", channels[-1])]


async def test_what_is_held_twice_is_asked_for_once_and_given_back_by_the_last(asked: Asked) -> None:
    asked.hold([b"a"])
    asked.hold([b"a"])
    asked.release([b"a"])
    assert asked.take_commands() == [pack("SUBSCRIBE", b"a")]
    assert len(asked) == 1
    asked.release([b"a"])
    assert asked.take_commands() == [pack("UNSUBSCRIBE", b"a")]
    assert len(asked) == 0


async def test_a_confirmation_is_for_everyone_who_waits(asked: Asked) -> None:
    waiting = asked.hold([b"a"]) + asked.hold([b"a"])
    before = asked.are_confirmed
    asked.confirm(b"a")
    await asyncio.gather(*waiting)
    assert (before, asked.are_confirmed) == (False, True)
    assert asked.hold([b"a"]) == []


async def test_the_confirmation_of_an_earlier_subscribe_does_not_count(asked: Asked) -> None:
    asked.hold([b"a"])
    asked.release([b"a"])
    [second] = asked.hold([b"a"])
    done = []
    for _ in range(2):
        asked.confirm(b"a")
        done.append(second.done())
    assert done == [False, True]


async def test_a_new_link_is_asked_for_all_that_is_wanted_and_for_nothing_else(asked: Asked) -> None:
    asked.hold([b"a", b"b"])
    asked.take_commands()
    asked.confirm(b"a")
    asked.release([b"b"])
    asked.renew()
    assert asked.take_commands() == [pack("SUBSCRIBE", b"a")]
    assert not asked.are_confirmed


async def test_who_leaves_knows_when_nothing_of_the_channel_can_come_any_more(asked: Asked) -> None:
    asked.hold([b"a"])
    asked.take_commands()
    left = asked.leave(b"a")
    assert (asked.take_commands(), left.done(), len(asked)) == ([pack("UNSUBSCRIBE", b"a")], False, 0)
    asked.left(b"b")
    assert not left.done()
    asked.left(b"a")
    assert left.done()
    asked.left(b"a")


async def test_who_leaves_to_others_or_without_a_link_waits_for_nobody(asked: Asked) -> None:
    asked.hold([b"a"])
    asked.hold([b"a"])
    first, second = asked.leave(b"a"), asked.leave(b"a")
    assert (first.done(), second.done()) == (True, False)
    asked.lose()
    assert second.done()


async def test_who_does_not_wait_any_more_is_not_told(asked: Asked) -> None:
    asked.hold([b"a"])
    left = asked.leave(b"a")
    left.cancel()
    asked.left(b"a")
    assert left.cancelled()
