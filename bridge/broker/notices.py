"""The two channels on which processes speak to themselves and to each other, and how a notice is written. Pure.

The canary's channel is new with each link of a subscriber: who counts a listener there is at the same server. On the
channel `moved` a process tells the others that it spoke at another server for a while. A notice begins with a zero
byte, so it is never a message; nothing of it reaches a client.
"""

import re
from secrets import token_hex
from typing import Final

from bridge.broker.link import pack
from bridge.system.observers import Observers

CANARY: Final = b"\0canary"
CANARY_NAME_BYTES: Final = 8
_MOVED: Final = re.compile(rb"\0(\S*) (\d{1,9}\.\d+) (\d{1,9}\.\d+)")


class Notices:
    """The channels of one subscriber. `probe` begins their names; without it there are none."""

    def __init__(self, probe: bytes) -> None:
        self._probe: Final = probe
        self._wanted = b""
        self.moved_channel: Final = probe + b":moved"
        self.canary: bytes | None = None
        """The channel on which nobody listens but the link that is open now; `None` until Redis has confirmed it."""
        self.listens: Final = Observers[[]]()
        """Called when the canary's channel is confirmed on a new link."""
        self.others_moved: Final = Observers[[float, float]]()
        """Called when another process spoke elsewhere: from how many seconds ago until how many seconds ago."""

    def begin(self) -> bytes:
        """The packed command that subscribes to both on a new link."""
        self._wanted = b"%b:%b" % (self._probe, token_hex(CANARY_NAME_BYTES).encode())
        return pack("SUBSCRIBE", self.moved_channel, self._wanted) if self._probe else b""

    def confirm(self, channel: bytes) -> bool:
        """Redis has confirmed a channel; returns whether it is one of these."""
        if channel == self._wanted:
            self.canary = channel
            self.listens()
        return channel in (self._wanted, self.moved_channel)

    def moved(self, since_seconds: float, until_seconds: float) -> bytes:
        """The notice that this process spoke elsewhere, from and until so many seconds ago."""
        return b"\0%b %f %f" % (self.canary or b"", since_seconds, until_seconds)

    def read(self, channel: bytes, data: bytes) -> bool:
        """Take a notice; returns whether it is one."""
        if channel == self.canary:
            return True
        moved = _MOVED.fullmatch(data) if channel == self.moved_channel else None
        if moved is None:
            return False
        if moved[1] != self.canary:
            self.others_moved(float(moved[2]), float(moved[3]))
        return True
