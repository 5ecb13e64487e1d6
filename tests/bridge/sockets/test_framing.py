import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from bridge.sockets.framing import (
    PING_FRAME,
    WEBSOCKET,
    Extent,
    close_frame,
    extent,
    is_plain,
    is_plain_pong,
    is_text,
    pong_frame,
    start_of_only_text,
    text_frame,
)
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
        (b"\x82\x85", "plain"),
        (b"\x88\x80", "a close"),
        (b"\xc1\x85", "compressed"),
        (b"\xf1\x85", "reserved bits"),
    ],
)
def test_only_a_whole_masked_message_needs_no_judgement(head: bytes, expected: str) -> None:
    assert is_plain(b"?" + head, 1) == (expected == "plain")


def test_a_message_is_text_or_binary() -> None:
    assert [is_text(from_client(opcode, b""), 0) for opcode in (Opcode.TEXT, Opcode.BINARY)] == [True, False]


@pytest.mark.parametrize(
    ("head", "expected"),
    [(b"\x8a\x80", True), (b"\x8a\xfd", True), (b"\x8a\x00", False), (b"\x8a\xfe", False), (b"\xca\x80", False)],
)
def test_a_pong_as_it_should_be_is_masked_and_short(head: bytes, expected: bool) -> None:  # noqa: FBT001
    assert is_plain_pong(head, 0) == expected


def test_control_frames_are_those_of_the_websockets_library() -> None:
    assert Frame(Opcode.PING, b"").serialize(mask=False) == PING_FRAME
    assert pong_frame(b"x" * 125) == Frame(Opcode.PONG, b"x" * 125).serialize(mask=False)
    assert close_frame(4001, "bye") == Frame(Opcode.CLOSE, Close(4001, "bye").serialize()).serialize(mask=False)


@given(texts)
def test_exactly_one_text_is_seen_at_one_look(data: bytes) -> None:
    frame = from_client(Opcode.TEXT, data)
    start = start_of_only_text(frame, 65_535)
    assert start == (len(frame) - len(data) if len(data) < 65_536 else 0)
    assert start_of_only_text(frame, len(data) - 1) == 0


@given(texts, st.sampled_from(Opcode), st.booleans())
def test_anything_else_is_not(data: bytes, opcode: Opcode, is_more: bool) -> None:  # noqa: FBT001
    data = data[:125] if opcode >= Opcode.CLOSE else data
    frame = from_client(opcode, data)
    wrong = [frame + b"?" if is_more else frame[:-1], from_client(Opcode.TEXT, data, mask=False)]
    wrong += [] if opcode is Opcode.TEXT else [frame]
    assert [start_of_only_text(one, 100_000) for one in wrong] == [0] * len(wrong)


def test_a_websocket_frames_json_as_any_other_text_and_puts_nothing_between() -> None:
    assert WEBSOCKET.text(b"{}") == WEBSOCKET.json(b"{}") == text_frame(b"{}")
    assert WEBSOCKET.between == b""
