"""The uncommon frames of one client, checked by the `websockets` library: fragments, closes, and all that is wrong.

It is made when the first such frame arrives, and needed no longer than a message is in fragments: a client that sends
plain messages alone never has one. It answers nothing and ends nothing.
"""

import logging
from collections.abc import Iterator
from typing import Final

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

MAX_FRAGMENTS: Final = 4_096

_LOGGER: Final = logging.getLogger("uvicorn.error")


class FrameChecker:
    """The library, for one socket. `failure`: with what the socket must be closed, once a frame was wrong."""

    __slots__ = ("_fragments", "_is_text", "_library", "failure")

    def __init__(self, most_bytes: int) -> None:
        self._library: Final = ServerProtocol(state=State.OPEN, max_size=most_bytes, logger=_LOGGER)
        self._fragments: list[bytes] = []
        self._is_text = False
        self.failure: Close | None = None

    def end(self) -> None:
        """Break the library's reference cycle. Nothing may be checked any more."""
        self._library.parser.close()

    @property
    def is_amid_message(self) -> bool:
        """Whether a fragmented message has begun and not ended."""
        return self._library.current_size is not None

    def expect_close(self) -> None:
        """The next frame is a close, which may come between two fragments (RFC 6455 5.5.1)."""
        self._library.current_size = None

    def check(self, frame: bytes) -> Iterator[Frame]:
        """Yield what follows from one frame: a whole message, whose fragments are joined, or a control frame.

        A frame that is wrong yields nothing and sets `failure`. So may the beginning of one that does not end.
        """
        self._library.receive_data(frame)
        for event in self._library.events_received():
            if isinstance(event, Frame) and (message := self._whole(event)) is not None:
                yield message
        if self._library.parser_exc is not None:
            self.failure = self._library.close_sent

    def _whole(self, frame: Frame) -> Frame | None:
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            return frame
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > MAX_FRAGMENTS:
            self._fragments = []
            self.failure = Close(1008, "too many fragments")
            return None
        if not frame.fin:
            return None
        payload, self._fragments = b"".join(self._fragments), []
        return Frame(Opcode.TEXT if self._is_text else Opcode.BINARY, payload)
