"""What has arrived is handed on, or withheld until what was said before it is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.broker import intake as module
from bridge.broker.intake import Intake
from bridge.broker.message import BusMessage
from tests.bridge.broker.parts import heard_as, numbers_of

A, B = b"a", b"b"
CHANNELS = st.sampled_from((A, B))


class Taking:
    """An intake, both channels subscribed, and what it handed on."""

    def __init__(self) -> None:
        self.rejected: Counter[str] = Counter()
        self.handed_on: list[tuple[bytes, int]] = []
        self.intake = Intake(self._deliver, self.rejected)
        for channel in (A, B):
            self.intake.arrivals.begin(channel)

    def _deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        self.handed_on += [(channel, number) for number in numbers_of(batch)]

    def take(self, channel: bytes, *numbers: int) -> None:
        self.intake.take(channel, [heard_as(number) for number in numbers])

    def find(self, channel: bytes, *numbers: int) -> None:
        self.intake.hand_on_found(channel, [heard_as(number) for number in numbers])


def test_what_arrives_is_handed_on_at_once_and_is_the_position() -> None:
    taking = Taking()
    taking.take(A, 1, 2)
    assert taking.handed_on == [(A, 1), (A, 2)]
    assert taking.intake.arrivals.position(A) == 2


def test_a_message_that_is_in_no_history_hides_none_before_it() -> None:
    taking = Taking()
    taking.take(A, 1, 2, 0)
    assert taking.intake.arrivals.position(A) == 2


def test_what_is_withheld_is_handed_on_in_its_order_but_for_what_was_found_already() -> None:
    taking = Taking()
    taking.intake.withhold()
    assert taking.intake.is_withholding
    taking.take(A, 2, 3)
    taking.take(B, 4)
    taking.take(A, 5)
    assert taking.handed_on == []
    assert taking.intake.arrivals.position(A) == 0
    taking.find(A, 1, 2)
    taking.intake.release()
    assert taking.handed_on == [(A, 1), (A, 2), (A, 3), (B, 4), (A, 5)]
    assert not taking.intake.is_withholding


def test_what_was_found_and_arrives_later_is_left_out_too() -> None:
    taking = Taking()
    before = taking.intake.arrivals.ask()
    taking.intake.withhold()
    taking.find(A, 5)
    taking.find(B, 6)
    taking.intake.release()
    taking.take(A, 5)
    taking.take(A, 0)
    taking.take(B, 6, 7)
    assert taking.handed_on == [(A, 5), (B, 6), (A, 0), (B, 7)]
    taking.intake.caught_up(before)
    taking.take(B, 6)
    assert taking.handed_on[-1] == (B, 7)
    taking.intake.caught_up(taking.intake.arrivals.ask())
    taking.take(B, 6)  # Redis has begun its numbers anew: what was found has arrived long ago
    assert taking.handed_on[-1] == (B, 6)


def test_what_was_withheld_on_a_link_that_is_lost_is_dropped() -> None:
    taking = Taking()
    taking.intake.withhold()
    taking.take(A, 1)
    taking.intake.drop()
    taking.take(A, 2)
    taking.intake.release()
    assert taking.handed_on == [(A, 2)]


def test_withholding_again_keeps_what_is_withheld() -> None:
    taking = Taking()
    taking.intake.withhold()
    taking.take(A, 1)
    taking.intake.withhold()
    taking.intake.release()
    assert taking.handed_on == [(A, 1)]


@pytest.mark.parametrize("v2_text", [None, "x" * 300])
def test_beyond_the_bound_is_dropped_and_the_channel_named(
    monkeypatch: pytest.MonkeyPatch, v2_text: str | None
) -> None:
    one = heard_as(1, v2_text=v2_text)
    monkeypatch.setattr(module, "MOST_BYTES", 2 * len(one.data))
    taking = Taking()
    taking.intake.withhold()
    for number in (1, 2, 3):
        taking.intake.take(A if number < 3 else B, [heard_as(number, v2_text=v2_text)])
    assert taking.intake.left_out == {B}
    taking.intake.release()
    assert taking.handed_on == [(A, 1), (A, 2)]
    assert taking.intake.left_out == set()
    taking.intake.withhold()
    taking.take(B, 4)
    taking.intake.release()
    assert taking.handed_on[-1] == (B, 4)


def test_a_batch_that_cannot_be_handed_on_is_counted_and_the_next_one_is() -> None:
    rejected: Counter[str] = Counter()
    handed_on: list[int] = []

    def deliver(channel: bytes, batch: Sequence[BusMessage]) -> None:
        if channel == A:
            raise ZeroDivisionError
        handed_on.extend(numbers_of(batch))

    intake = Intake(deliver, rejected)
    with capture_logs() as logs:
        intake.take(A, [heard_as(1), heard_as(2)])
        intake.take(B, [heard_as(3)])
    assert (rejected, handed_on) == ({"undeliverable": 2}, [3])
    assert [line["event"] for line in logs] == ["batch_undeliverable"]


@given(st.lists(st.tuples(CHANNELS, st.booleans()), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_with_what_was_repaired_each_message_is_handed_on_once_and_in_order(
    said: list[tuple[bytes, bool]], lost: int, read_until: int
) -> None:
    """The first `lost` never arrived, and up to `read_until` all were found in the history."""
    taking, read_until = Taking(), max(lost, read_until)
    taking.intake.drop()
    numbered = [(number, channel) for number, (channel, _) in enumerate(said, 1)]
    late = [number for number, (_, is_late) in enumerate(said, 1) if is_late]
    released_at = min(late, default=len(said) + 1)
    for number, channel in numbered[lost : released_at - 1]:
        taking.take(channel, number)
    for number, channel in numbered[:read_until]:
        taking.find(channel, number)
    taking.intake.release()
    for number, channel in numbered[max(lost, released_at - 1) :]:
        taking.take(channel, number)
    heard = defaultdict(list)
    for channel, number in taking.handed_on:
        heard[channel].append(number)
    assert heard == {
        channel: [number for number, where in numbered if where == channel]
        for channel in {where for _, where in numbered}
    }
