"""A recording of V2 frames from what travels on the bus: one frame a line, each once, within bounds. Pure.

A frame may travel on two channels, and then has the same bytes on both. A line break in a frame becomes a space, as a
line holds one frame: in JSON that changes nothing, since strings cannot contain one.

Bounded: `MOST_REMEMBERED` frames are remembered for telling doubles; both copies come within milliseconds.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from bridge.broker.message import numbered, read
from v3.messages import Unreadable

MOST_REMEMBERED: Final = 20_000


class Recording:
    """What was recorded so far. It is full when it has `most_frames`, or the next frame would exceed `most_bytes`."""

    def __init__(self, most_frames: int, most_bytes: int) -> None:
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self.frames = self.bytes = 0
        self.folded = 0
        """Frames in which a line break became a space."""
        self.is_full = False

    def line_of(self, message: bytes) -> bytes | None:
        """The line to write for a message of the bus; `None` if it is no V2 frame, or none that is to be written."""
        frame = _v2_frame_in(message)
        if frame is None or self.is_full or self._is_double(message):
            return None
        line = frame.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        if self.bytes + len(line) > self._most_bytes:
            self.is_full = True
            return None
        self.frames += 1
        self.bytes += len(line)
        self.folded += line != frame + b"\n"
        self.is_full = self.frames >= self._most_frames
        return line

    def _is_double(self, message: bytes) -> bool:
        digest = blake2b(message, digest_size=16).digest()
        if digest in self._seen:
            return True
        self._seen[digest] = None
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return False


def _v2_frame_in(message: bytes) -> bytes | None:
    try:
        return read(numbered(message)[1], str).v2_text
    except Unreadable:
        return None
