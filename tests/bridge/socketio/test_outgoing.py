from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio.outgoing import PACKET_BYTES, Outgoing


@given(st.lists(st.binary(max_size=100)), st.data())
def test_what_waits_is_counted_until_it_is_taken(packets: list[bytes], data: st.DataObject) -> None:
    outgoing = Outgoing(1_000)
    for packet in packets:
        outgoing.put(packet)
    taken = data.draw(st.integers(min_value=0, max_value=len(packets) + 3))
    assert outgoing.take(taken) == packets[:taken]
    left = packets[taken:]
    assert (len(outgoing), outgoing.bytes) == (len(left), sum(PACKET_BYTES + len(packet) for packet in left))
    assert outgoing.is_too_full == (outgoing.bytes > 1_000)


def test_some_are_taken_at_once_and_in_order() -> None:
    outgoing = Outgoing(1_000)
    for number in range(5):
        outgoing.put(b"%d" % number)
    assert outgoing.take(3) == [b"0", b"1", b"2"]
    assert outgoing.take(3) == [b"3", b"4"]
    assert outgoing.take(3) == []
