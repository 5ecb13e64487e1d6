"""The PINGs on one subscribing link: how long Redis is silent, and until when it is certain that all was heard. Pure.

Redis answers in order: when a PING is answered, everything that it had sent before the PING was asked has arrived. An
error is an answer too (a server that is loading, or has no master): the link lives, and the error is its trouble.
Times are the event loop's, in seconds.
"""

from bridge.broker.commands import pack


class Pings:
    """The PINGs of the link that is open now."""

    def __init__(self, now: float) -> None:
        self._asked_at: float | None = None
        self._unanswered = 0
        self.certain_until = now
        self.trouble: str | None = None
        """What Redis said instead of an answer to the last PING."""

    def begin(self, now: float) -> None:
        """A link has opened."""
        self._asked_at, self._unanswered, self.certain_until, self.trouble = None, 0, now, None

    @property
    def is_asked(self) -> bool:
        """Whether nothing at all has arrived since the last PING."""
        return self._asked_at is not None

    def ask(self, now: float) -> bytes:
        """A packed PING. Its answer brings back when it was asked."""
        self._asked_at = now
        self._unanswered += 1
        return pack("PING", repr(now))

    def heard(self) -> None:
        """Something has arrived."""
        self._asked_at = None

    def answered(self, asked_at: bytes | None, trouble: str | None) -> bool:
        """A PING was answered; with an error if there is `trouble`. Returns false if none had been asked."""
        if not self._unanswered:
            return False
        self._unanswered -= 1
        self.trouble = trouble
        if asked_at is not None:
            self.certain_until = float(asked_at)
        return True

    def forgive(self, seconds: float) -> None:
        """This process was late by so much, not Redis."""
        if self._asked_at is not None:
            self._asked_at += max(0.0, seconds)

    def are_silent(self, now: float, seconds: float) -> bool:
        """Whether Redis has said nothing for more than these seconds after a PING."""
        return self._asked_at is not None and now - self._asked_at > seconds
