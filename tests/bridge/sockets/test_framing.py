import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from bridge.sockets.framing import WEBSOCKET, Extent, extent, is_plain_text, text_frame
from tests.bridge.sockets.payloads import payloads

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 70_000)
texts = st.binary(max_size=300) | st.sampled_from(SIZES).map(lambda size: b"x" * size)


def from_client(opcode: Opcode, data: bytes, *, mask: bool = True) -> bytes:
    return Frame(opcode, data).serialize(mask=mask)


@given(texts)
def test_a_frame_is_that_of_the_websockets_library(data: bytes) -> None:
    assert text_frame(data) == Frame(Opcode.TEXT, data).serialize(mask=False)


@given(st.lists(texts, max_size=5))
def test_frames_are_taken_apart_as_they_were_put_together(batch: list[bytes]) -> None:
    assert list(payloads(b"".join(map(text_frame, batch)))) == batch


@given(st.binary(max_size=20), texts, st.binary(max_size=20), st.sampled_from((0, 4)), st.sampled_from(Opcode))
def test_the_extent_of_a_clients_frame_is_known_from_its_head(
    before: bytes, data: bytes, after: bytes, mask_bytes: int, opcode: Opcode
) -> None:
    if opcode >= Opcode.CLOSE:
        data = data[:125]
    frame = from_client(opcode, data, mask=mask_bytes > 0)
    found = extent(before + frame + after, len(before))
    assert found is not None
    assert found.end == len(before) + len(frame)
    assert found.end - found.start == len(data)
    assert found.start - found.mask == mask_bytes


@pytest.mark.parametrize("size", SIZES)
def test_a_head_that_is_not_whole_has_no_extent(size: int) -> None:
    frame = from_client(Opcode.TEXT, b"x" * size)
    head = len(frame) - size - 4
    for length in range(head):
        assert extent(b"ab" + frame[:length], 2) is None
    assert extent(bytearray(b"ab") + frame[:head], 2) == Extent(2, 2 + head, 2 + head + 4, 2 + len(frame))


def test_a_length_of_64_bits_is_measured_and_not_believed() -> None:
    assert extent(b"\x81\xff" + b"\xff" * 8, 0) == Extent(0, 10, 14, 14 + 2**64 - 1)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x81\x80", "plain"),
        (b"\x81\xff", "plain"),
        (b"\x81\x05", "not masked"),
        (b"\x01\x85", "a fragment"),
        (b"\x80\x85", "the end of fragments"),
        (b"\x82\x85", "binary"),
        (b"\x88\x80", "a close"),
        (b"\xc1\x85", "compressed"),
        (b"\xf1\x85", "reserved bits"),
    ],
)
def test_only_a_whole_masked_text_needs_no_judgement(head: bytes, expected: str) -> None:
    assert is_plain_text(b"?" + head, 1) == (expected == "plain")


def test_a_websocket_frames_json_as_any_other_text_and_puts_nothing_between() -> None:
    assert WEBSOCKET.text(b"{}") == WEBSOCKET.json(b"{}") == text_frame(b"{}")
    assert WEBSOCKET.between == b""
