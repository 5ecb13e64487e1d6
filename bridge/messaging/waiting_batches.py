"""What waits to be written to the listeners of one tenant, in order, and put together by channel. It delivers nothing.

A batch is added to the one that waits on its channel, as far as the order between channels allows (`OpenBatches`), and
up to `PIECE_BYTES`. So whoever waits is written all that waits for it in few writes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bridge.broker.batches import KindOf, OpenBatches
from bridge.broker.message import BusMessage

PIECE_BYTES: Final = 65_536
"""The most that is written in one go. A single message may be larger."""

Mark = Callable[[], None]
"""What is to be called when all before it is written."""


class Piece:
    """Messages of one channel that are written together."""

    __slots__ = ("channel", "messages", "size_bytes")

    def __init__(self, channel: bytes, messages: list[BusMessage], size_bytes: int) -> None:
        self.channel: Final = channel
        self.messages: Final = messages
        self.size_bytes = size_bytes


class WaitingBatches:
    """The queue. It has no bound of its own: see `size_bytes`."""

    __slots__ = ("_entries", "_open", "size_bytes")

    def __init__(self, kind_of: KindOf) -> None:
        self._entries: deque[Piece | Mark] = deque()
        self._open: Final = OpenBatches[Piece](kind_of)
        self.size_bytes = 0
        """How much waits."""

    def __len__(self) -> int:
        """How many pieces and marks wait."""
        return len(self._entries)

    def add(self, piece: Piece) -> None:
        """Add messages at the end, or to those of their channel."""
        self.size_bytes += piece.size_bytes
        before = self._open.of(piece.channel)
        if before is not None and before.size_bytes + piece.size_bytes <= PIECE_BYTES:
            before.messages.extend(piece.messages)
            before.size_bytes += piece.size_bytes
        else:
            self._entries.append(piece)
            self._open.begin(piece.channel, piece)

    def add_mark(self, mark: Mark) -> None:
        """Add it at the end. What comes after it is not put together with what was before."""
        self._open.end_all()
        self._entries.append(mark)

    def add_mark_in_front(self, mark: Mark) -> None:
        """Add it in front of everything."""
        self._entries.appendleft(mark)

    def next(self) -> Piece | Mark:
        """Remove the first entry, and return it. Raises `IndexError` when nothing waits."""
        first = self._entries.popleft()
        if isinstance(first, Piece):
            self.size_bytes -= first.size_bytes
            self._open.end(first.channel, first)
        return first


def pieces_of(channel: bytes, batch: Sequence[BusMessage]) -> Iterator[Piece]:
    """Split a batch into pieces of at most `PIECE_BYTES`."""
    messages: list[BusMessage] = []
    size_bytes = 0
    for message in batch:
        if messages and size_bytes + message.size_bytes > PIECE_BYTES:
            yield Piece(channel, messages, size_bytes)
            messages, size_bytes = [], 0
        messages.append(message)
        size_bytes += message.size_bytes
    if messages:
        yield Piece(channel, messages, size_bytes)
