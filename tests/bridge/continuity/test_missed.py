"""What a client has missed is all that was said after its positions, or it is not claimed to be known."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from bridge.broker.message import BusMessage
from bridge.continuity.missed import MICROSECONDS, Kept, Missed, missed_since
from bridge.continuity.positions import KINDS, UNKNOWN, cursor_of
from tests.bridge.broker.parts import heard_as, numbers_of
from v3.messages import Line

SECONDS, SPARE_SECONDS = 10, 2
T = 1_767_261_600_000_000
V3 = KINDS[:4]


def said_at(number: int, sent_at: object = "") -> tuple[int, BusMessage]:
    message = BusMessage(b"", None, Line("3", "msg", "group", sent_at=str(sent_at or number)))
    message.number = number
    return number, message


def kept(*numbers: int, **more: Any) -> Kept:
    return Kept(**{"read_at": T + 100, "begin": T - 100, "messages": [said_at(number) for number in numbers], **more})


def found(since: str, channels: Mapping[str, Kept]) -> list[int] | None:
    missed = missed_since(since, channels, SECONDS)
    return None if missed is None else numbers_of(missed.messages)


def at(*numbers: int) -> str:
    return cursor_of(numbers)


def test_what_was_said_after_the_positions_is_missed_in_the_order_of_the_numbers() -> None:
    channels = {"g": kept(T + 1, T + 4, T + 7), "c": kept(T + 2, T + 5), "b": kept(), "p": kept(T + 6)}
    assert found(at(T + 1, T + 2, T, T), channels) == [T + 4, T + 5, T + 6, T + 7]
    assert found(at(T + 7, T + 7, T + 7, T + 7), channels) == []


def test_a_message_that_is_on_two_channels_is_missed_once() -> None:
    channels = {**dict.fromkeys(V3, kept()), "g": kept(T + 1, T + 2), "v": kept(T + 1, T + 2, T + 3)}
    assert found(at(T, T, T, T, T), channels) == [T + 1, T + 2, T + 3]


def test_what_is_on_the_wide_channel_and_on_a_narrower_one_is_missed_on_that_alone() -> None:
    """It comes by both, perhaps in two reads, and a client's connection may end between them."""
    channels = {**dict.fromkeys(V3, kept()), "g": kept(T + 1, T + 2), "v": kept(T + 1, T + 2, T + 3)}
    assert found(at(T + 2, T, T, T, T + 1), channels) == [T + 3]
    assert found(at(T + 1, T, T, T, T + 2), channels) == [T + 2, T + 3]


@pytest.mark.parametrize(("earlier", "is_known"), [(T, False), (T + 1, True), (T + 2, True)])
def test_what_the_wide_channel_repeats_is_known_only_where_the_narrower_ones_are(
    earlier: int,
    is_known: bool,  # noqa: FBT001
) -> None:
    """Else what was heard on one that has forgotten it would be heard on the wide one again."""
    channels = {**dict.fromkeys(V3, kept()), "g": kept(T + 2, T + 3, whole_since=T + 1), "v": kept(T + 1, T + 2, T + 3)}
    assert found(at(T + 2, T, T, T, earlier), channels) == ([T + 3] if is_known else None)


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param({"begin": 0}, id="no history has begun"),
        pytest.param({"begin": T + 1}, id="histories have had a break since"),
        pytest.param({"read_at": T - 1}, id="the position is still to come"),
        pytest.param({"unkept": T + 1}, id="something was said and not kept since"),
        pytest.param({"whole_since": T + 1}, id="something was removed since"),
        pytest.param({"read_at": T + SECONDS * MICROSECONDS + 1}, id="too long ago"),
    ],
)
def test_where_one_history_is_not_whole_nothing_is_known(gap: dict[str, int]) -> None:
    channels = dict.fromkeys(V3, kept(T + 2))
    assert found(at(T, T, T, T), channels) == [T + 2]
    assert found(at(T, T, T, T), {**channels, "b": kept(T + 2, **gap)}) is None


def test_what_was_not_kept_or_removed_up_to_the_position_is_no_gap() -> None:
    assert found(at(T, T, T, T), dict.fromkeys(V3, kept(unkept=T, whole_since=T, begin=T))) == []
    assert found(at(T, T, T, T), dict.fromkeys(V3, kept(read_at=T + SECONDS * MICROSECONDS))) == []


def test_the_last_message_that_was_heard_is_the_position_on_all_channels() -> None:
    channels = {"g": kept(T + 1, T + 4), "c": kept(T + 2), "b": kept(T + 3), "p": kept()}
    assert found(str(T + 2), channels) == [T + 3, T + 4]


def test_a_message_that_is_not_found_or_not_once_tells_nothing() -> None:
    channels = dict.fromkeys(V3, kept())
    twice = Kept(T + 100, begin=T - 100, messages=[said_at(T + 1, "now"), said_at(T + 2, "now")])
    assert found("now", channels) is None
    assert found("now", {**channels, "g": twice}) is None
    on_two = Kept(T + 100, begin=T - 100, messages=[said_at(T + 1, "now")])
    assert found("now", {**channels, "g": on_two, "b": on_two}) == []


@pytest.mark.parametrize("since", ["", "now", UNKNOWN, "@g", at(T), at(T, T, T), at(T, T, T, T)[:-1] + " "])
def test_what_does_not_name_a_position_for_each_channel_tells_nothing(since: str) -> None:
    assert found(since, dict.fromkeys(V3, kept())) is None


def test_who_changes_to_v3_brings_one_position_more() -> None:
    assert found(at(T, T, T, T, T), dict.fromkeys(V3, kept())) == []


def test_one_channel_alone_can_be_asked_about() -> None:
    assert found(f"@{KINDS[1]}.{at(T)[3:]}", {"c": kept(T + 1)}) == [T + 1]


@dataclass
class Channel:
    """A channel as it is, and its history as Redis keeps it."""

    said: list[int] = field(default_factory=list)
    history: deque[tuple[int, BusMessage]] = field(default_factory=deque)
    last: int = 0
    """The last message that was kept."""
    has_removed: bool = False
    unkept: int = 0

    def forget(self) -> None:
        self.history.clear()
        self.has_removed, self.last = False, 0


class OneRedis(RuleBasedStateMachine):
    """Four channels and their histories: trimmed, expired, not kept, lost. Nothing is claimed that is not so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T
        self.begin = T
        self.channels = {kind: Channel() for kind in V3}
        self.sent: list[str] = []

    def _expire(self) -> None:
        for channel in self.channels.values():
            if channel.last and self.now > channel.last + (SECONDS + SPARE_SECONDS) * MICROSECONDS:
                channel.forget()
            if self.now > channel.unkept + (SECONDS + SPARE_SECONDS) * MICROSECONDS:
                channel.unkept = 0

    @rule(milliseconds=st.sampled_from((0, 1, 1_000, 4_000, 11_000)))
    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds * 1_000
        self._expire()

    @rule(kind=st.sampled_from(V3), is_kept=st.sampled_from((True, True, True, False)), sent_at=st.integers(0, 4))
    def say(self, kind: str, *, is_kept: bool, sent_at: int) -> None:
        self.now += 1
        channel = self.channels[kind]
        channel.said.append(self.now)
        self.sent.append(str(self.now) if sent_at else "a moment that two messages share")
        if is_kept:
            channel.history.append(said_at(self.now, self.sent[-1]))
            channel.last = self.now
        else:
            channel.unkept = self.now

    @rule(kind=st.sampled_from(V3), number=st.integers(1, 3))
    def trim(self, kind: str, number: int) -> None:
        channel = self.channels[kind]
        for _ in range(min(number, len(channel.history))):
            channel.history.popleft()
            channel.has_removed = True

    @rule()
    def lose(self) -> None:
        """The server is empty; the next message is the first."""
        self.now += 1
        self.begin = self.now
        for channel in self.channels.values():
            channel.forget()
            channel.unkept = 0

    def _read(self, channel: Channel) -> Kept:
        whole_since = (channel.history[0][0] if channel.history else channel.last) if channel.has_removed else 0
        return Kept(self.now, whole_since, channel.unkept, self.begin, list(channel.history))

    def _look(self, since: str, positions: Sequence[int]) -> None:
        numbers = found(since, {kind: self._read(channel) for kind, channel in self.channels.items()})
        truth = [
            number
            for position, channel in zip(positions, self.channels.values(), strict=True)
            for number in channel.said
            if number > position
        ]
        assert numbers is None or numbers == sorted(truth)

    @rule(ago=st.lists(st.integers(0, 15 * MICROSECONDS) | st.integers(0, 9), min_size=4, max_size=4))
    def come_back_with_a_cursor(self, ago: list[int]) -> None:
        positions = [self.now - each for each in ago]
        self._look(cursor_of(positions), positions)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def come_back_with_the_last_message(self, data: st.DataObject) -> None:
        sent_at = data.draw(st.sampled_from(self.sent[-8:]))
        said = sorted(number for channel in self.channels.values() for number in channel.said)
        number = said[len(said) - 1 - self.sent[::-1].index(sent_at)]
        if self.sent.count(sent_at) == 1:
            self._look(sent_at, [number] * 4)
        else:
            in_histories = [
                one for each in self.channels.values() for one in each.history if one[1].heard.sent_at == sent_at
            ]
            if len(in_histories) != 1:
                assert found(sent_at, {kind: self._read(each) for kind, each in self.channels.items()}) is None

    @rule()
    def whoever_was_here_until_now_has_missed_nothing(self) -> None:
        """It is not always unknown."""
        assert found(cursor_of([self.now] * 4), {kind: self._read(each) for kind, each in self.channels.items()}) == []


TestOneRedis = OneRedis.TestCase


def test_what_was_missed_is_handed_over_as_messages() -> None:
    message = heard_as(T + 1)
    channels = dict.fromkeys(V3, Kept(T + 100, begin=T, messages=[(T + 1, message)]))
    assert missed_since(at(T, T, T, T), channels, SECONDS) == Missed([message])
