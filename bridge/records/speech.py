"""What one speaker said to one audience, counted in memory until it is written down. Pure: it is told the time.

Times are in seconds since the epoch, as the clock gives them; what is written down of them is in whole milliseconds.
"""

from typing import Final, Protocol

from bridge.records.rows import Language, Noted, key_of

Audience = tuple[int, str, str, str | None]
"""The speaker, as this process tells objects apart, and message type, target and recipient of what it said."""


class Speaker(Protocol):
    """Who says something: a guest of either language, the same object for as long as its connection lives."""

    @property
    def tenant(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def group_id(self) -> str: ...
    @property
    def grant(self) -> str: ...


class Spoken:
    """How often, and from when to when. It holds its speaker, so that no other object can be taken for it."""

    __slots__ = ("first", "language", "last", "speaker", "times")

    def __init__(self, language: Language, speaker: Speaker, now: float) -> None:
        self.language: Final = language
        self.speaker: Final = speaker
        self.first: Final = now
        self.last = now
        self.times = 1

    def noted(self, audience: Audience, client_id: str | None) -> Noted:
        """As a `Speech`, said by the client that the operator knows by this id, if it gave any."""
        _, *to_whom = audience
        return self.noted_as(key_of((self.language, client_id, self.speaker.group_id, *to_whom, self.speaker.grant)))

    def noted_as(self, key: str) -> Noted:
        """As another row that is counted by what was said."""
        return Noted(key, milliseconds(self.first), milliseconds(self.last), self.times)


def milliseconds(seconds: float) -> int:
    """Whole ones, as they stand in a row."""
    return int(seconds * 1_000)
