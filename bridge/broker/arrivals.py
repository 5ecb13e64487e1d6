"""Up to which number everything has arrived on each subscribed channel. Pure: its owner tells it what arrives.

After a link is lost, what was said after these positions may have been missed. A channel's position is the number of
the last message that arrived there, or the last watermark, if the channel was subscribed before that was asked for.
"""

from collections.abc import Iterator


class Arrivals:
    """The positions of one subscriber. They outlast its links, and go with the last hold of a channel."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._young: dict[bytes, int] = {}
        """Channel -> how many watermarks had been asked for when it was subscribed; until a later one is there."""
        self.asked = 0
        """How many watermarks have been asked for."""
        self._watermark = self._void_until = 0
        self._last: tuple[bytes, int] | None = None
        self.highest = 0
        """The highest number that has arrived, from whichever server."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(tuple(self._numbers))

    def begin(self, channel: bytes) -> None:
        """A channel was subscribed, perhaps again."""
        if channel not in self._numbers:
            self._numbers[channel] = 0
            self._young[channel] = self.asked

    def end(self, channel: bytes) -> None:
        """A channel is not wanted any more."""
        self._numbers.pop(channel, None)
        self._young.pop(channel, None)

    def note(self, channel: bytes, number: int) -> None:
        """A message has arrived. One that is in no history has the number 0."""
        if number and channel in self._numbers:
            self._numbers[channel] = number
            self._last = channel, number
            self.highest = max(self.highest, number)

    def lately(self, canary: bytes) -> list[tuple[bytes, int]]:
        """Channel and number of the last message that arrived, and of the last one of a channel that is never quiet."""
        heard = [] if self._last is None else [self._last]
        number = self._numbers.get(canary, 0)
        return [*heard, (canary, number)] if number else heard

    def forget(self) -> None:
        """Redis has begun its numbers anew: nothing is known any more."""
        self._numbers = dict.fromkeys(self._numbers, 0)
        self._young = dict.fromkeys(self._numbers, self.asked)
        self._watermark, self._void_until = 0, self.asked

    def ask(self) -> int:
        """A watermark is asked for now; returns which one, for `reach`."""
        self.asked += 1
        return self.asked

    def reach(self, watermark: int, asked: int) -> None:
        """It is there: everything up to it has arrived, on all channels that were subscribed when it was asked for."""
        if asked <= self._void_until:
            return
        self._watermark = max(self._watermark, watermark)
        self._young = {channel: since for channel, since in self._young.items() if since >= asked}

    @property
    def has_young(self) -> bool:
        """Whether a channel was subscribed since the last watermark was asked for."""
        return self.asked in self._young.values()

    def position(self, channel: bytes) -> int:
        """The position of a channel; 0 if it is not known."""
        number = self._numbers.get(channel)
        if number is None:
            return 0
        return number if channel in self._young else max(number, self._watermark)
