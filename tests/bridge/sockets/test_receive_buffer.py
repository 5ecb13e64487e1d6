"""What has come over one socket, frame by frame."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from bridge.sockets.receive_buffer import ReceiveBuffer

SIZES = st.sampled_from([0, 1, 5, 125, 126, 200, 65_535, 65_536])


def from_client(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=True)


@given(st.lists(SIZES, max_size=6), st.lists(st.integers(1, 70_000) | st.integers(1, 8), min_size=1), st.randoms())
def test_frames_come_out_whole_and_in_order_in_whatever_pieces_they_came(
    sizes: list[int], steps: list[int], chance: Random
) -> None:
    frames = [from_client(bytes([number]) * size) for number, size in enumerate(sizes)]
    data, unread, found, step = b"".join(frames), ReceiveBuffer(), list[bytes](), 0
    while data or unread.may_hold_a_frame:
        if data and (chance.random() < 0.6 or not unread.may_hold_a_frame):
            length = steps[step % len(steps)]
            step += 1
            unread.add(data[:length])
            data = data[length:]
        where = unread.frame() if chance.random() < 0.7 or not data else None
        if where is not None:
            found.append(unread.buffer[where.head : where.end])
    assert found == frames
    assert len(unread) == 0


def test_what_has_begun_is_told_by_its_head_alone() -> None:
    unread = ReceiveBuffer()
    assert unread.incomplete() is None
    unread.add(from_client(b"x" * 1_000)[:8])
    assert unread.frame() is None
    assert unread.incomplete() == (1_000, True)
    assert not unread.may_hold_a_frame
    unread.add(b"rest")
    assert unread.incomplete() == (1_000, True)
    assert (len(unread), len(unread.take_all()), len(unread)) == (12, 12, 0)


def test_nothing_is_said_of_what_lies_behind_frames_that_are_not_read() -> None:
    """It might begin in the middle of one."""
    unread = ReceiveBuffer()
    unread.add(from_client(b"first"))
    unread.add(b"\xff" * 20)
    assert unread.incomplete() is None


def test_a_frame_that_comes_byte_by_byte_is_looked_at_a_few_times_only() -> None:
    unread, looks = ReceiveBuffer(), 0
    for byte in from_client(b"x" * 60_000):
        unread.add(bytes([byte]))
        while unread.may_hold_a_frame:
            looks += 1
            if unread.frame() is None:
                break
    assert looks < 20
    assert len(unread) == 0
