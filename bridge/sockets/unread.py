"""What has come over one socket and was not read yet, frame by frame. Pure: it judges no frame, and drops nothing.

Each byte is copied a fixed number of times, in whatever pieces it comes: a frame that has not come whole is only
appended to, and what lies behind a frame is not moved while that is read.
"""

from bridge.sockets.framing import Extent, extent


class Unread:
    """The bytes of one socket. `buffer` is where the frame lies of which `frame` told last."""

    __slots__ = ("_later", "_position", "_wanted", "buffer")

    def __init__(self) -> None:
        self.buffer = b""
        self._position = 0
        self._later = bytearray()  # what follows the buffer
        self._wanted = 0  # how long `_later` must be before it is worth a look, once the buffer is read

    def __len__(self) -> int:
        """How many bytes there are."""
        return len(self.buffer) - self._position + len(self._later)

    def add(self, data: bytes) -> None:
        """What has just come."""
        if self._later or self._position < len(self.buffer):
            self._later += data
        else:
            self.buffer, self._position = data, 0

    @property
    def may_hold_a_frame(self) -> bool:
        """Whether it is worth looking: false while the one frame that has begun is known to be incomplete."""
        return self._position < len(self.buffer) or (bool(self._later) and len(self._later) >= self._wanted)

    def frame(self) -> Extent | None:
        """The next frame that has come whole, and go past it; `None` where there is none."""
        while self.may_hold_a_frame:
            where = extent(self.buffer, self._position) if self._position < len(self.buffer) else None
            if where is not None and where.end <= len(self.buffer):
                self._position = where.end
                return where
            self._wanted = 1 if where is None else where.end - self._position
            if not self._gathered():
                return None
        return None

    def incomplete(self) -> tuple[int, bool] | None:
        """Of the frame that has begun and not come whole: its payload's length in bytes, and whether it is masked."""
        where = extent(self._later, 0) if self._position == len(self.buffer) else None
        return None if where is None else (where.end - where.start, bool(self._later[1] & 0x80))

    def take_all(self) -> bytes:
        """Everything, so that nothing is left."""
        data = self.buffer[self._position :] + self._later
        self.buffer, self._position, self._later, self._wanted = b"", 0, bytearray(), 0
        return data

    def _gathered(self) -> bool:
        """Join the end of the buffer and what follows it; whether that may hold the frame that the buffer did not."""
        beginning = self.buffer[self._position :]
        if self._later and len(beginning) + len(self._later) >= self._wanted:
            self.buffer, self._position, self._later, self._wanted = beginning + self._later, 0, bytearray(), 0
            return len(self.buffer) > len(beginning)
        self._later[:0] = beginning
        self.buffer, self._position = b"", 0
        self._wanted = max(self._wanted, len(self._later) + 1)
        return False
