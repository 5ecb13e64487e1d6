"""What comes from the bus is checked once, and grouped by channel in order."""

import pytest

from bridge.broker.addresses import Addresses
from bridge.broker.incoming import Incoming
from bridge.broker.message import read
from tests.bridge.broker.parts import ARRIVED_AT, MAX_BYTES, message, numbers_of
from v3.messages import Unreadable

ADDRESSES = Addresses("aether")


def incoming() -> Incoming:
    return Incoming(lambda: ARRIVED_AT, MAX_BYTES, kind_of=ADDRESSES.kind_of)


def said(channel: bytes, data: bytes) -> list[bytes]:
    return [b"message", channel, data]


def test_each_channel_has_its_messages_in_order_and_everything_else_is_handed_on() -> None:
    others: list[object] = []
    one, two, three = message("one"), message("two"), message("three")
    replies = [said(b"a", one), [b"pong", b""], said(b"b", two), said(b"a", three)]
    batches = incoming().read(replies, others.append)
    assert {channel: [each.line for each in batch] for channel, batch in batches} == {
        b"a": [one, three],
        b"b": [two],
    }
    assert others == [[b"pong", b""]]


def test_the_same_bytes_on_the_next_channel_are_read_once() -> None:
    batches = dict(incoming().read([said(b"a", message("one")), said(b"b", message("one"))], lambda _: None))
    assert batches[b"a"][0] is batches[b"b"][0]


def test_what_this_process_said_itself_is_not_read_again() -> None:
    reader, data = incoming(), message("one")
    own = read(data, lambda: ARRIVED_AT)
    reader.recent.keep(data, own)
    assert dict(reader.read([said(b"a", data)], lambda _: None))[b"a"][0] is own


def test_what_is_no_message_or_too_large_is_counted_and_left_out() -> None:
    reader = incoming()
    replies = [
        said(b"a", b"no JSON"),
        said(b"a", b"{}"),
        said(b"a", b"x" * (MAX_BYTES + 1)),
        said(b"a", message("one")),
    ]
    batches = dict(reader.read(replies, lambda _: None))
    assert [each.line for each in batches[b"a"]] == [message("one")]
    assert dict(reader.rejected) == {"invalid_message": 2, "too_big": 1}
    assert reader.received == 4


def test_a_message_has_the_number_that_it_begins_with_on_the_bus() -> None:
    replies = [said(b"a", b"17\n" + message("one")), said(b"a", message("two"))]
    batches = dict(incoming().read(replies, lambda _: None))
    assert [(each.number, each.line) for each in batches[b"a"]] == [(17, message("one")), (0, message("two"))]


def test_the_same_words_with_another_number_are_another_message() -> None:
    reader, data = incoming(), message("one")
    own = read(data, lambda: ARRIVED_AT)
    reader.recent.keep(data, own)
    replies = [said(b"a", b"%d\n%b" % (number, data)) for number in (1, 2)] + [said(b"a", data)]
    heard = dict(reader.read(replies, lambda _: None))[b"a"]
    assert heard[0] is own
    assert numbers_of(heard) == [1, 2, 0]


def test_numbers_that_begin_anew_are_noticed_and_what_has_none_is_not_taken_for_that() -> None:
    reader, noticed = incoming(), list[int]()
    reader.renumbered.add(lambda: noticed.append(reader.received))
    numbers = [5, 5, 0, 6, 3, 4, 0]
    data = [
        b"%d\n%b" % (number, message(str(index))) if number else message("x") for index, number in enumerate(numbers)
    ]
    reader.read([said(b"ab"[index % 2 : index % 2 + 1], each) for index, each in enumerate(data)], lambda _: None)
    assert noticed == [5]


def test_what_was_kept_is_read_as_what_arrives() -> None:
    reader = incoming()
    assert reader.message(b"5\n" + message("one")).number == 5
    with pytest.raises(Unreadable, match="too_big"):
        reader.message(b"5\n" + message("x" * MAX_BYTES))
    with pytest.raises(Unreadable):
        reader.message(b"5 \n" + message("one"))
    assert not reader.rejected
