"""Counts the messages of one speaker to one audience, in memory, until they are noted. Pure: callers pass in the time.

Times are in seconds since the epoch, as the clock gives them; in rows they are in whole milliseconds.
"""

from typing import Final, Protocol

from bridge.records.rows import Language, Noted, key_of

Audience = tuple[int, str, str, str | None]
"""The speaker (its `id()` in this process), and the type, target and recipient of its messages."""


class Speaker(Protocol):
    """A client that sends messages: a guest of either language, the same object as long as its connection lives."""

    @property
    def tenant(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def group_id(self) -> str: ...
    @property
    def grant(self) -> str: ...


class Spoken:
    """How often one speaker sent messages to one audience, and when first and last.

    It keeps a reference to the speaker, so that Python cannot give the speaker's `id()` to another object.
    """

    __slots__ = ("first", "language", "last", "speaker", "times")

    def __init__(self, language: Language, speaker: Speaker, now: float) -> None:
        self.language: Final = language
        self.speaker: Final = speaker
        self.first: Final = now
        self.last = now
        self.times = 1

    def noted(self, audience: Audience, client_id: str | None) -> Noted:
        """The counts as a `Speech` row. `client_id`: the id that the client gave, or `None`."""
        _, *to_whom = audience
        return self.noted_as(key_of((self.language, client_id, self.speaker.group_id, *to_whom, self.speaker.grant)))

    def noted_as(self, key: str) -> Noted:
        """The counts as the row `key`."""
        return Noted(key, milliseconds(self.first), milliseconds(self.last), self.times)


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds, as in a row."""
    return int(seconds * 1_000)
