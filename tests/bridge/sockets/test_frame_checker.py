"""The frames that are not read at one look: what follows from them, and what is wrong with them."""

from __future__ import annotations

import gc

import pytest
from websockets.frames import Frame, Opcode

from bridge.sockets import frame_checker
from bridge.sockets.frame_checker import FrameChecker

FRAGMENT = Frame(Opcode.TEXT, b"one", fin=False).serialize(mask=True)
REST = Frame(Opcode.CONT, b"two").serialize(mask=True)
CLOSE = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True)


def checked(checker: FrameChecker, *frames: bytes) -> list[tuple[Opcode, bytes]]:
    return [(event.opcode, bytes(event.data)) for frame in frames for event in checker.check(frame)]


def test_fragments_are_joined_and_a_ping_may_come_between_them() -> None:
    checker, ping = FrameChecker(100), Frame(Opcode.PING, b"?").serialize(mask=True)
    assert checked(checker, FRAGMENT, ping) == [(Opcode.PING, b"?")]
    assert checker.is_amid_message
    assert checked(checker, REST) == [(Opcode.TEXT, b"onetwo")]
    assert (checker.is_amid_message, checker.failure) == (False, None)


def test_binary_fragments_are_a_binary_message() -> None:
    checker = FrameChecker(100)
    first = Frame(Opcode.BINARY, b"one", fin=False).serialize(mask=True)
    assert checked(checker, first, REST) == [(Opcode.BINARY, b"onetwo")]


def test_a_close_may_come_between_two_fragments() -> None:
    checker = FrameChecker(100)
    assert checked(checker, FRAGMENT) == []
    checker.expect_close()
    assert checked(checker, CLOSE) == [(Opcode.CLOSE, b"\x03\xe8")]
    assert checker.failure is None


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([REST], 1002),
        ([FRAGMENT, FRAGMENT], 1002),
        ([b"\x81\x03one"], 1002),
        ([b"\xc1\x80????"], 1002),
        ([b"\x83\x80????"], 1002),
        ([b"\x81\xfe\x01\x00"], 1009),
        ([FRAGMENT, Frame(Opcode.CONT, b"x" * 98).serialize(mask=True)], 1009),
        ([Frame(Opcode.CLOSE, b"\x03").serialize(mask=True)], 1002),
    ],
)
def test_what_is_wrong_has_its_close_code(frames: list[bytes], code: int) -> None:
    checker = FrameChecker(100)
    assert checked(checker, *frames) == []
    assert checker.failure is not None
    assert checker.failure.code == code


def test_fragments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_checker, "MAX_FRAGMENTS", 2)
    checker, empty = FrameChecker(100), Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
    assert checked(checker, FRAGMENT, empty, empty) == []
    assert checker.failure is not None
    assert checker.failure.code == 1008


def test_it_leaves_no_reference_cycle() -> None:
    gc.collect()
    checker = FrameChecker(100)
    checked(checker, FRAGMENT, REST)
    checker.end()
    del checker
    assert gc.collect() == 0
