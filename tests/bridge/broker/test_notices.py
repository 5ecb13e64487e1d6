"""What a process says to itself is never a message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.notices import CANARY, MARK, Notices
from tests.bridge.broker.parts import Answers


def listening() -> Notices:
    """Notices whose channel is confirmed."""
    notices = Notices(b"a:{probe}")
    notices.confirm(canary_in(notices.begin()))
    return notices


def canary_in(command: bytes) -> bytes:
    return command.split(b"\r\n")[4]


def test_the_canary_is_confirmed_with_its_own_channel_and_is_new_with_each_link() -> None:
    notices, told = Notices(b"a:{probe}"), Answers()
    notices.listens.add(told)
    first, second = canary_in(notices.begin()), canary_in(notices.begin())
    assert first != second
    assert not notices.confirm(first)
    assert told.empty()
    assert notices.confirm(second)
    assert notices.canary == second
    assert told.qsize() == 1


def test_without_a_name_there_are_no_channels() -> None:
    notices = Notices(b"")
    assert notices.begin() == b""
    assert not notices.read(b"anything", CANARY)


def test_the_canary_is_a_notice_on_its_own_channel_alone() -> None:
    notices = listening()
    assert notices.canary is not None
    assert notices.read(notices.canary, CANARY)
    assert not notices.read(b"a:{acme:b}", CANARY)


def test_the_channel_of_the_process_is_asked_for_too_and_stays() -> None:
    notices, told = Notices(b"a:{probe}"), Answers()
    notices.own = b"a:{probe}:of:p"
    notices.listens.add(told)
    assert notices.own in notices.begin()
    assert notices.own in notices.begin()
    assert notices.confirm(notices.own)
    assert told.empty()
    assert notices.read(notices.own, CANARY)
    assert not notices.read(notices.own, b"{}")


def test_a_mark_is_said_where_this_link_alone_listens_and_told_when_all_before_it_is_handed_on() -> None:
    notices, told = listening(), Answers()
    notices.marked.add(told)
    command = notices.mark(b"17") or b""
    channel, data = command.split(b"\r\n")[4], command.split(b"\r\n")[6]
    assert (channel, data) == (notices.canary, MARK + b"17")
    assert notices.read(channel, data)
    assert told.empty()
    notices.tell_marks()
    notices.tell_marks()
    assert told.all() == [b"17"]


def test_a_mark_that_another_says_elsewhere_is_none() -> None:
    notices, told = listening(), Answers()
    notices.marked.add(told)
    assert not notices.read(b"a:{acme:b}", MARK + b"17")
    notices.tell_marks()
    assert told.empty()


def test_no_mark_is_said_where_nobody_listens() -> None:
    assert Notices(b"a:{probe}").mark(b"17") is None


@given(st.binary())
def test_whatever_is_written_there_harms_nobody(data: bytes) -> None:
    notices = listening()
    notices.read(notices.canary or b"", data)
