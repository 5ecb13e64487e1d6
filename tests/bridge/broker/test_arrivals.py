"""A position is never later than what has arrived, and as late as is known."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge.broker.arrivals import Arrivals

A, B = b"a", b"b"
CHANNELS = st.sampled_from((A, B, b"c"))


def subscribed(*channels: bytes) -> Arrivals:
    arrivals = Arrivals()
    for channel in channels:
        arrivals.begin(channel)
    return arrivals


def test_nothing_is_known_of_a_channel_that_was_just_subscribed_or_is_not() -> None:
    arrivals = subscribed(A)
    arrivals.reach(100, arrivals.ask())
    arrivals.begin(B)
    assert (arrivals.position(A), arrivals.position(B), arrivals.position(b"c")) == (100, 0, 0)
    assert list(arrivals) == [A, B]


def test_a_message_that_has_arrived_is_the_position_and_one_without_a_number_is_not() -> None:
    arrivals = subscribed(A)
    arrivals.note(A, 7)
    arrivals.note(A, 0)
    arrivals.note(B, 9)
    assert (arrivals.position(A), arrivals.position(B)) == (7, 0)


def test_a_watermark_counts_for_channels_that_were_subscribed_when_it_was_asked_for() -> None:
    arrivals = subscribed(A)
    first = arrivals.ask()
    arrivals.begin(B)
    second = arrivals.ask()
    arrivals.begin(b"c")
    arrivals.reach(100, first)
    assert [arrivals.position(each) for each in arrivals] == [100, 0, 0]
    arrivals.reach(200, second)
    assert [arrivals.position(each) for each in arrivals] == [200, 200, 0]


def test_a_channel_that_is_subscribed_again_on_a_new_link_keeps_its_position() -> None:
    arrivals = subscribed(A)
    arrivals.note(A, 7)
    arrivals.begin(A)
    assert arrivals.position(A) == 7
    arrivals.end(A)
    arrivals.begin(A)
    assert arrivals.position(A) == 0


def test_where_redis_begins_its_numbers_anew_nothing_is_known_until_the_next_watermark() -> None:
    arrivals = subscribed(A, B)
    arrivals.note(A, 7)
    before = arrivals.ask()
    arrivals.forget()
    arrivals.reach(9, before)
    assert [arrivals.position(each) for each in arrivals] == [0, 0]
    arrivals.note(A, 2)
    arrivals.reach(3, arrivals.ask())
    assert [arrivals.position(each) for each in arrivals] == [3, 3]


def test_whether_a_watermark_is_due_is_known() -> None:
    arrivals = subscribed(A)
    known = [arrivals.has_young]
    asked = arrivals.ask()
    known.append(arrivals.has_young)
    arrivals.begin(B)
    arrivals.reach(100, asked)
    known.append(arrivals.has_young)
    assert known == [True, False, True]


def test_what_was_heard_lately_is_told_with_that_of_the_channel_that_is_never_quiet() -> None:
    arrivals = subscribed(A, B)
    assert arrivals.lately(B) == []
    arrivals.note(B, 5)
    arrivals.note(A, 7)
    assert arrivals.lately(B) == [(A, 7), (B, 5)]
    assert arrivals.lately(b"c") == [(A, 7)]


@dataclass
class Truth:
    """One channel as it is: what was said since it was subscribed, and how much of that has arrived."""

    said: list[int] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)
    since: int = 0


class OneLink(RuleBasedStateMachine):
    """A link keeps order: messages, and marks in which the number stands that was the last when they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals = Arrivals()
        self.truth: dict[bytes, Truth] = {}
        self.link: deque[tuple[bytes, int]] = deque()
        """Channel and number of a message, or nothing and the number that is reached."""
        self.marks: deque[int] = deque()
        self.number = 0

    @rule(channel=CHANNELS)
    def subscribe(self, channel: bytes) -> None:
        self.truth.setdefault(channel, Truth(since=self.number))
        self.arrivals.begin(channel)

    @rule(channel=CHANNELS)
    def release(self, channel: bytes) -> None:
        self.truth.pop(channel, None)
        self.link = deque(one for one in self.link if one[0] != channel)
        self.arrivals.end(channel)

    @rule(channel=CHANNELS)
    def say(self, channel: bytes) -> None:
        self.number += 1
        if channel in self.truth:
            self.truth[channel].said.append(self.number)
            self.link.append((channel, self.number))

    @rule()
    def ask(self) -> None:
        self.marks.append(self.arrivals.ask())
        self.link.append((b"", self.number))

    @precondition(lambda self: self.link)
    @rule()
    def arrive(self) -> None:
        channel, number = self.link.popleft()
        if channel:
            self.truth[channel].arrived.add(number)
            self.arrivals.note(channel, number)
        else:
            self.arrivals.reach(number, self.marks.popleft())

    @rule()
    def lose(self) -> None:
        """What is on the way never arrives, the marks neither. What was said after the positions is repaired."""
        self.link.clear()
        self.marks.clear()
        for channel, truth in self.truth.items():
            position = self.arrivals.position(channel)
            for number in (number for number in truth.said if number > position):
                assert number not in truth.arrived
                truth.arrived.add(number)
                self.arrivals.note(channel, number)

    @invariant()
    def has_all_that_was_said_before_a_position(self) -> None:
        for channel, truth in self.truth.items():
            position = self.arrivals.position(channel)
            assert not [number for number in truth.said if number <= position and number not in truth.arrived]
            assert position >= max(truth.arrived, default=0)
            assert not truth.arrived or position
            assert position == 0 or position >= truth.since


TestOneLink = OneLink.TestCase
