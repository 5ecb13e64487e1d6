"""What comes from the bus is checked once, and grouped by channel in order."""

from bridge.broker.incoming import Incoming
from bridge.broker.message import read
from tests.bridge.broker.parts import ARRIVED_AT, MAX_BYTES, message


def incoming() -> Incoming:
    return Incoming(lambda: ARRIVED_AT, MAX_BYTES)


def said(channel: bytes, data: bytes) -> list[bytes]:
    return [b"message", channel, data]


def test_each_channel_has_its_messages_in_order_and_everything_else_is_handed_on() -> None:
    others: list[object] = []
    one, two, three = message("one"), message("two"), message("three")
    replies = [said(b"a", one), [b"pong", b""], said(b"b", two), said(b"a", three)]
    batches = incoming().read(replies, others.append)
    assert {channel: [each.line for each in batch] for channel, batch in batches.items()} == {
        b"a": [one, three],
        b"b": [two],
    }
    assert others == [[b"pong", b""]]


def test_the_same_bytes_on_the_next_channel_are_read_once() -> None:
    batches = incoming().read([said(b"a", message("one")), said(b"b", message("one"))], lambda _: None)
    assert batches[b"a"][0] is batches[b"b"][0]


def test_what_this_process_said_itself_is_not_read_again() -> None:
    reader, data = incoming(), message("one")
    own = read(data, lambda: ARRIVED_AT)
    reader.recent.keep(data, own)
    assert reader.read([said(b"a", data)], lambda _: None)[b"a"][0] is own


def test_what_is_no_message_or_too_large_is_counted_and_left_out() -> None:
    reader = incoming()
    replies = [
        said(b"a", b"no JSON"),
        said(b"a", b"{}"),
        said(b"a", b"x" * (MAX_BYTES + 1)),
        said(b"a", message("one")),
    ]
    batches = reader.read(replies, lambda _: None)
    assert [each.line for each in batches[b"a"]] == [message("one")]
    assert dict(reader.rejected) == {"invalid_message": 2, "too_big": 1}
    assert reader.received == 4
