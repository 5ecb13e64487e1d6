"""Receive buffer of one WebSocket, from which complete frames are taken. Pure: it checks no frame and drops no byte.

Each byte is copied a fixed number of times, however small the pieces in which it arrives: bytes are only appended to an
incomplete frame, and bytes behind a frame are not moved when that frame is taken.
"""

from bridge.sockets.framing import Extent, extent


class ReceiveBuffer:
    """The unread bytes of one socket. The extent that `frame` returned last refers to `buffer`."""

    __slots__ = ("_later", "_position", "_wanted", "buffer")

    def __init__(self) -> None:
        self.buffer = b""
        self._position = 0
        self._later = bytearray()  # bytes that follow the buffer
        self._wanted = 0  # length that `_later` must have before it can hold a complete frame, once the buffer is read

    def __len__(self) -> int:
        """The number of unread bytes."""
        return len(self.buffer) - self._position + len(self._later)

    def add(self, data: bytes) -> None:
        """Append received bytes."""
        if self._later or self._position < len(self.buffer):
            self._later += data
        else:
            self.buffer, self._position = data, 0

    @property
    def may_hold_a_frame(self) -> bool:
        """Whether there may be a complete frame; false while the only frame is known to be incomplete."""
        return self._position < len(self.buffer) or (bool(self._later) and len(self._later) >= self._wanted)

    def frame(self) -> Extent | None:
        """Take the next complete frame; `None` if there is none."""
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
        """Payload length in bytes of the incomplete frame, and whether it is masked; `None` while that is unknown."""
        where = extent(self._later, 0) if self._position == len(self.buffer) else None
        return None if where is None else (where.end - where.start, bool(self._later[1] & 0x80))

    def take_all(self) -> bytes:
        """Take all unread bytes."""
        data = self.buffer[self._position :] + self._later
        self.buffer, self._position, self._later, self._wanted = b"", 0, bytearray(), 0
        return data

    def _gathered(self) -> bool:
        """Join the rest of the buffer with the bytes after it; returns whether a complete frame may be in them now."""
        beginning = self.buffer[self._position :]
        if self._later and len(beginning) + len(self._later) >= self._wanted:
            self.buffer, self._position, self._later, self._wanted = beginning + self._later, 0, bytearray(), 0
            return len(self.buffer) > len(beginning)
        self._later[:0] = beginning
        self.buffer, self._position = b"", 0
        self._wanted = max(self._wanted, len(self._later) + 1)
        return False
