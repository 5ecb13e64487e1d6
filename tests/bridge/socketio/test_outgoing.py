from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.drain import OutboxBounds
from bridge.socketio.outgoing import PACKET_BYTES, Outgoing

BOUNDS = OutboxBounds(1_000, 500)


@given(st.lists(st.binary(max_size=100)), st.data())
def test_what_waits_is_counted_until_it_is_taken(packets: list[bytes], data: st.DataObject) -> None:
    outgoing = Outgoing(BOUNDS)
    for packet in packets:
        outgoing.put(packet)
    taken = data.draw(st.integers(min_value=0, max_value=len(packets) + 3))
    assert outgoing.take(taken, 10_000) == packets[:taken]
    left = packets[taken:]
    assert (len(outgoing), outgoing.bytes) == (len(left), sum(PACKET_BYTES + len(packet) for packet in left))
    assert outgoing.is_above_bound == (outgoing.bytes > 1_000)


def test_some_are_taken_at_once_and_in_order() -> None:
    outgoing = Outgoing(BOUNDS)
    for number in range(5):
        outgoing.put(b"%d" % number)
    assert outgoing.take(3, 100) == [b"0", b"1", b"2"]
    assert outgoing.take(3, 100) == [b"3", b"4"]
    assert outgoing.take(3, 100) == []


def test_no_more_bytes_are_taken_than_fit_but_one_packet_always() -> None:
    outgoing = Outgoing(BOUNDS)
    for size in (30, 60, 20, 500):
        outgoing.put(bytes(size))
    assert [len(packet) for packet in outgoing.take(9, 100)] == [30, 60]
    assert [len(packet) for packet in outgoing.take(9, 100)] == [20]
    assert [len(packet) for packet in outgoing.take(9, 100)] == [500]


def test_polls_that_take_too_little_are_too_slow() -> None:
    outgoing = Outgoing(BOUNDS)
    for _ in range(20):
        outgoing.put(bytes(100))
    assert not outgoing.is_too_slow(0.0)
    outgoing.take(1, 100)
    assert (outgoing.is_too_slow(2.0), outgoing.is_too_slow(2.1)) == (False, True)
    assert len(outgoing.take_all()) == 19
    assert not outgoing.is_too_slow(2.1)
