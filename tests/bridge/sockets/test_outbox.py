from dataclasses import dataclass, field

from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Outbox


@dataclass
class Wire:
    """A socket that keeps what it was told."""

    told: list[object] = field(default_factory=list)

    def write(self, frames: bytes) -> None:
        self.told.append(frames)

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        self.told.append((code, reason, last))

    def abort(self) -> None:
        self.told.append("abort")


def test_a_text_is_written_as_one_frame() -> None:
    wire = Wire()
    Outbox(wire).send("é".encode())
    assert wire.told == [text_frame("é".encode())]


def test_ready_frames_are_written_as_they_are() -> None:
    wire = Wire()
    Outbox(wire).write(b"ready")
    assert wire.told == [b"ready"]


def test_the_close_follows_what_was_sent_and_nothing_follows_the_close() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    outbox.send(b"last")
    assert not outbox.is_closed
    outbox.close(4508, "slow_consumer", b"last words")
    outbox.send(b"too late")
    assert wire.told == [text_frame(b"last"), (4508, "slow_consumer", text_frame(b"last words"))]
    assert outbox.is_closed


def test_only_the_first_close_counts() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    outbox.close(4508, "slow_consumer")
    outbox.close(1012, "going_away")
    assert wire.told == [(4508, "slow_consumer", b"")]


def test_nothing_is_sent_once_the_connection_is_over() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    outbox.end()
    outbox.send(b"too late")
    outbox.close(1012, "going_away")
    assert wire.told == []
    assert outbox.is_closed


def test_an_abort_needs_no_patience() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    outbox.close(1012, "going_away")
    outbox.abort()
    assert wire.told == [(1012, "going_away", b""), "abort"]
