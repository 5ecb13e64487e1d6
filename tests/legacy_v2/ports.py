"""The ports of a V2 session, recorded: what it asked of the world."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from legacy_v2.ports import Guest, Pace, Ports
from legacy_v2.session import Session

NOW = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""


class Said(NamedTuple):
    """One call of `Bus.say_frame`."""

    text: str
    sent_at: int
    refused: Callable[[str], None]
    heard: Callable[[], None] | None


@dataclass
class World:
    """Everything outside of one session, in memory."""

    now: int = NOW
    pace: Pace = "within"
    sent: list[bytes] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)
    tallied: list[tuple[str, str]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    touched: int = 0

    def send(self, text: bytes) -> None:
        self.sent.append(text)

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        if last:
            self.sent.append(last)
        self.closed.append((code, reason))

    def say_frame(
        self,
        guest: Guest,
        text: str,
        sent_at: int,
        refused: Callable[[str], None],
        heard: Callable[[], None] | None = None,
    ) -> None:
        self.said.append(Said(text, sent_at, refused, heard))

    def sign_of_life(self, guest: Guest) -> Callable[[], None]:
        return self.touch

    def touch(self) -> None:
        self.touched += 1

    def microseconds(self) -> int:
        return self.now

    def refused(self, tenant: str, code: str) -> None:
        self.tallied.append((tenant, code))

    def spend(self) -> Pace:
        return self.pace

    def session(self) -> Session:
        """A session of V2 client 42 in group `lobby` of tenant `acme`."""
        return Session(
            Guest("acme", "lobby", "42", "lobby", "v2-42", "tenant"), self, self, Ports(self, self, self, self)
        )

    def refusal(self) -> dict[str, Any]:
        """What the one refusal says that the client was sent."""
        (text,) = self.sent
        said: dict[str, Any] = json.loads(text)["bridge"]
        return said
