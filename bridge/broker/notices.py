"""The canary: the channel on which one subscriber listens for itself alone, and what is said there. Pure.

It is new with each link of a subscriber: who counts a listener there is at the same server. Another channel is under
the name of the process, and stays: others look there whether it listens. A notice begins with a zero byte, so it is
never a message; nothing of it reaches a client.
"""

from secrets import token_hex
from typing import Final

from bridge.broker.commands import pack
from bridge.system.observers import Observers

CANARY: Final = b"\0canary"
MARK: Final = b"\0mark:"
CANARY_NAME_BYTES: Final = 8


class Notices:
    """The canary of one subscriber. `probe` begins its name; without it there is none."""

    def __init__(self, probe: bytes) -> None:
        self._probe: Final = probe
        self._wanted = b""
        self.own = b""
        """The channel under the name of this process: who publishes there sees whether it listens."""
        self.canary: bytes | None = None
        """The channel on which nobody listens but the link that is open now; `None` until Redis has confirmed it."""
        self.listens: Final = Observers[[]]()
        """Called when the canary's channel is confirmed on a new link."""
        self.marked: Final = Observers[[bytes]]()
        """Called with what was written into a mark (`mark`): all that was said before it was handed on."""
        self._marks: list[bytes] = []

    def begin(self) -> bytes:
        """The packed command that subscribes to both on a new link."""
        self._wanted = b"%b:%b" % (self._probe, token_hex(CANARY_NAME_BYTES).encode())
        return pack("SUBSCRIBE", *filter(None, (self._wanted, self.own))) if self._probe else b""

    def confirm(self, channel: bytes) -> bool:
        """Redis has confirmed a channel; returns whether it is one of these."""
        if channel != self._wanted:
            return bool(channel) and channel == self.own
        self.canary = channel
        self.listens()
        return True

    def mark(self, text: bytes) -> bytes | None:
        """The packed command that says a mark on the canary's channel, or `None` while nobody listens there."""
        return None if self.canary is None else pack("PUBLISH", self.canary, MARK + text)

    def tell_marks(self) -> None:
        """Tell of the marks that were read, now that all that was read before them is handed on."""
        marks, self._marks = self._marks, []
        for mark in marks:
            self.marked(mark)

    def read(self, channel: bytes, data: bytes) -> bool:
        """Whether this is what is said on one of them, and no message."""
        if channel == self.canary and data.startswith(MARK):
            self._marks.append(data.removeprefix(MARK))
            return True
        return channel in (self.canary, self.own) and data == CANARY
