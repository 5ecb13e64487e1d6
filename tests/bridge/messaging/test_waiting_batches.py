"""What waits: in order for whoever listens, put together, and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.addresses import Addresses
from bridge.messaging import waiting_batches as module
from bridge.messaging.waiting_batches import Piece, WaitingBatches, pieces_of
from tests.bridge.broker.parts import heard_as, numbers_of

ADDRESSES = Addresses("aether")
GROUP, OTHER_GROUP = (ADDRESSES.group("acme", name) for name in "GH")
CLIENT, WIDE = ADDRESSES.client("acme", "ann"), ADDRESSES.everyone_on_v2("acme")
MARK = b""
SIZE = heard_as(1).size_bytes


def waiting(*channels: bytes) -> WaitingBatches:
    """A message on each channel, with the numbers from 1 on; a mark where there is none."""
    batches = WaitingBatches(ADDRESSES.kind_of)
    for number, channel in enumerate(channels, 1):
        if channel == MARK:
            batches.add_mark(lambda: None)
        else:
            batches.add(Piece(channel, [heard_as(number)], SIZE))
    return batches


def taken(batches: WaitingBatches) -> list[tuple[bytes, list[int]]]:
    entries = [batches.next() for _ in range(len(batches))]
    return [(one.channel, numbers_of(one.messages)) if isinstance(one, Piece) else (MARK, []) for one in entries]


def test_what_waits_on_one_channel_is_one_piece_whatever_is_said_meanwhile_on_others_of_its_kind() -> None:
    assert taken(waiting(GROUP, OTHER_GROUP, WIDE, GROUP, WIDE)) == [
        *((GROUP, [1, 4]), (OTHER_GROUP, [2])),
        (WIDE, [3, 5]),
    ]


def test_it_is_not_put_together_across_another_kind_or_a_mark() -> None:
    assert taken(waiting(GROUP, CLIENT, GROUP, MARK, GROUP)) == [
        *((GROUP, [1]), (CLIENT, [2]), (GROUP, [3])),
        *((MARK, []), (GROUP, [5])),
    ]


def test_a_mark_in_front_is_next() -> None:
    batches = waiting(GROUP)
    batches.add_mark_in_front(lambda: None)
    batches.add(Piece(GROUP, [heard_as(2)], SIZE))
    assert taken(batches) == [(MARK, []), (GROUP, [1, 2])]


def test_a_piece_that_was_taken_stays_as_it_is() -> None:
    batches = waiting(GROUP)
    first = batches.next()
    batches.add(Piece(GROUP, [heard_as(2)], SIZE))
    assert isinstance(first, Piece)
    assert numbers_of(first.messages) == [1]
    assert taken(batches) == [(GROUP, [2])]


def test_nothing_waits_in_the_end_and_what_does_is_counted() -> None:
    batches = waiting(GROUP, MARK, GROUP)
    assert batches.size_bytes == 2 * SIZE
    taken(batches)
    assert (len(batches), batches.size_bytes) == (0, 0)
    with pytest.raises(IndexError):
        batches.next()


@pytest.mark.parametrize("together", [1, 3])
def test_no_piece_is_larger_than_the_bound_unless_a_single_message_is(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", together * SIZE)
    pieces = list(pieces_of(GROUP, [heard_as(number) for number in range(1, 8)]))
    assert [len(piece.messages) for piece in pieces] == ([1] * 7 if together == 1 else [3, 3, 1])
    assert all(piece.size_bytes == sum(one.size_bytes for one in piece.messages) for piece in pieces)
    assert [len(numbers) for _, numbers in taken(waiting(*[GROUP] * 7))] == [len(piece.messages) for piece in pieces]
    monkeypatch.setattr(module, "PIECE_BYTES", 1)
    assert [len(piece.messages) for piece in pieces_of(GROUP, [heard_as(1), heard_as(2)])] == [1, 1]
    assert not list(pieces_of(GROUP, []))


@given(st.lists(st.sampled_from((GROUP, OTHER_GROUP, CLIENT, WIDE, MARK)), max_size=30), st.integers(0, 30))
def test_who_listens_hears_in_order_what_was_said_however_much_was_taken_meanwhile(
    said: list[bytes], taken_after: int
) -> None:
    batches = WaitingBatches(ADDRESSES.kind_of)
    heard: list[tuple[bytes, list[int]]] = []
    for number, channel in enumerate(said, 1):
        batches.add(Piece(channel or GROUP, [heard_as(number)], SIZE))
        if channel == MARK:
            batches.add_mark(lambda: None)
        if number == taken_after:
            heard += taken(batches)
    heard += taken(batches)
    for channels in ((GROUP, CLIENT), (OTHER_GROUP, CLIENT), (WIDE,)):
        numbers = [number for channel, several in heard if channel in channels for number in several]
        assert numbers == [number for number, channel in enumerate(said, 1) if (channel or GROUP) in channels]
