"""What processes say to themselves and each other is never a message, and nobody else can say it for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.notices import CANARY, Notices
from tests.bridge.broker.parts import Answers


def listening() -> tuple[Notices, Answers]:
    """Notices whose channels are confirmed, and what others were heard to say."""
    notices, heard = Notices(b"a:{probe}"), Answers()
    notices.others_moved.add(lambda since, until: heard((since, until)))
    notices.confirm(canary_in(notices.begin()))
    return notices, heard


def canary_in(command: bytes) -> bytes:
    return command.split(b"\r\n")[6]


def test_the_canary_is_confirmed_with_its_own_channel_and_is_new_with_each_link() -> None:
    notices, told = Notices(b"a:{probe}"), Answers()
    notices.listens.add(told)
    first, second = canary_in(notices.begin()), canary_in(notices.begin())
    assert first != second
    assert not notices.confirm(first)
    assert notices.confirm(notices.moved_channel)
    assert told.empty()
    assert notices.confirm(second)
    assert notices.canary == second
    assert told.qsize() == 1


def test_without_a_name_there_are_no_channels() -> None:
    notices = Notices(b"")
    assert notices.begin() == b""
    assert not notices.read(b"anything", CANARY)


def test_the_canary_is_a_notice_on_its_own_channel_alone() -> None:
    notices, _ = listening()
    assert notices.canary is not None
    assert notices.read(notices.canary, CANARY)
    assert not notices.read(b"a:{acme:b}", CANARY)


def test_what_one_process_says_of_its_move_others_hear_and_it_does_not() -> None:
    (mover, by_itself), (other, by_other) = listening(), listening()
    said = mover.moved(3.5, 1.25)
    assert mover.read(mover.moved_channel, said)
    assert other.read(other.moved_channel, said)
    assert (by_itself.all(), by_other.all()) == ([], [(3.5, 1.25)])


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0x 1 2", b"\0x nan inf", b"\0x 1.0 2.0 3.0", b"x 1.0 2.0", b"\0x -1.0 2.0"]
)
def test_what_others_write_there_is_no_notice(data: bytes) -> None:
    notices, heard = listening()
    assert not notices.read(notices.moved_channel, data)
    assert heard.all() == []


@given(st.binary())
def test_whatever_is_written_there_harms_nobody(data: bytes) -> None:
    notices, _ = listening()
    notices.read(notices.moved_channel, data)
