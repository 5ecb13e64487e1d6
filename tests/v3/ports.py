"""The ports of a V3 session, recorded: what it asked of the world, and answers when the test says so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from v3.messages import Unreadable, WS_Message_V3, write
from v3.ports import Answer, Grant, Guest, Pace, Ports
from v3.session import Session

NOW = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""


class Said(NamedTuple):
    """One call of `Voice.say`."""

    content: dict[str, Any]
    line: bytes
    answered: Callable[[int | None], None]

    def heard(self) -> None:
        self.answered(1)

    def refused(self, code: str) -> None:
        self.answered(None if code == "bus_down" else 0)


@dataclass
class World:
    """Everything outside of one session, in memory. `answers` are the callbacks that wait for the members."""

    now: int = NOW
    pace: Pace = "within"
    is_leaving: bool = False
    sent: list[bytes] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)
    tallied: list[tuple[str, str]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    answers: list[Callable[[bytes | None], None]] = field(default_factory=list)
    aliases: dict[str, str | None] = field(default_factory=dict)
    told: dict[str, Answer] = field(default_factory=dict)

    def send(self, text: bytes) -> None:
        self.sent.append(text)
        self.calls.append("send")

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        if last:
            self.sent.append(last)
        self.closed.append((code, reason))

    def voice(self, guest: Guest) -> "Spoken":
        return Spoken(self, guest)

    def say(self, guest: Guest, content: Any, sent_at: str, answered: Callable[[int | None], None]) -> None:
        line = write(content, guest.client_id, guest.group_id, sent_at)
        self.said.append(Said(dict(content), line, answered))

    def refresh(self, guest: Guest) -> None:
        self.calls.append("refresh")

    def members(self, guest: Guest, answer: Callable[[bytes | None], None]) -> None:
        self.answers.append(answer)

    def cursor(self, _guest: Guest, answer: Callable[[str | None], None]) -> None:
        answer("@cursor")

    def microseconds(self) -> int:
        return self.now

    def refused(self, tenant: str, code: str) -> None:
        self.tallied.append((tenant, code))

    def spend(self) -> Pace:
        return self.pace

    def resolve(self, tenant: str, name: str) -> str | None:
        return self.aliases.get(name, name)

    def session(self, grant: Grant = "tenant") -> Session:
        """A session of client `bob` in group `lobby` of tenant `acme`."""
        return Session(
            Guest("acme", "lobby", "bob", grant), self, self, Ports(self, self, self, self, self, self, self.told)
        )

    def heard(self) -> list[WS_Message_V3]:
        """What the client was sent; each must be a valid message."""
        return [WS_Message_V3.model_validate_json(text) for text in self.sent]

    def error(self) -> dict[str, Any]:
        """The payload of the one ERROR that the client was sent."""
        (message,) = self.heard()
        assert (message.msg_type, message.target, message.cmd) == ("cmd", "echo", "ERROR")
        assert (message.from_id, message.group_id) == ("server", "lobby")
        assert message.msg
        assert message.payload is not None
        return message.payload


@dataclass
class Spoken:
    """The voice of one connection."""

    world: World
    guest: Guest

    def say(self, content: Any, sent_at: str, answered: Callable[[int | None], None]) -> None:
        self.world.say(self.guest, content, sent_at, answered)


def fields(unreadable: Unreadable) -> list[str]:
    """The fields of a message that is invalid; each has its problem."""
    assert unreadable.code == "invalid_message"
    assert all(problem["problem"] for problem in unreadable.problems)
    return [problem["field"] for problem in unreadable.problems]
