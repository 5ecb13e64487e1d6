"""What V3 needs from outside, in its own words. It never says how: `bridge` fits these and hands them in.

Everything a session calls is synchronous. What needs an answer from elsewhere takes a callback, which is called once,
later and synchronously, with the answer or with `None` when it cannot be had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from v3.messages import Content

Grant = Literal["none", "tenant", "platform"]
Pace = Literal["within", "over", "far_over"]
Request = TypeVar("Request", contravariant=True)
"""A handshake, in the words of the framework that received it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who a connection is: settled once at the handshake, never by a message. `protocol` is how presence names it."""

    tenant: str
    group_id: str
    client_id: str
    grant: Grant
    protocol: str = "v3"


class Refused(Exception):
    """A handshake is refused with a code of the closed list; `group_id` is the path's, where it is a name."""

    def __init__(self, code: str, group_id: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.group_id = group_id


class Socket(Protocol):
    """The way back to one client. Bounded by its owner: `send` never waits and never fails."""

    def send(self, text: bytes) -> None:
        """One text frame, UTF-8."""

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Everything sent so far, one last text frame where there is one, then the close frame."""


class Receipt(Protocol):
    """Who waits to be told what became of one message, where the transport can tell it apart from all others."""

    def taken(self, sent_at: str) -> None:
        """It was said, and when."""

    def refused(self, payload: dict[str, Any]) -> None:
        """It was not: the payload of the ERROR that is sent otherwise."""


class Bus(Protocol):
    """The way to everyone else."""

    def say(
        self,
        guest: Guest,
        content: Content,
        sent_at: str,
        refused: Callable[[str], None],
        heard: Callable[[], None] | None = None,
    ) -> None:
        """Speak on the channels of the content's target. Later `refused` is called with the code, or `heard`."""


class Presence(Protocol):
    """Who is here."""

    def refresh(self, guest: Guest) -> None:
        """Keep the guest present for another hour; on its way to Redis when this returns."""

    def members(self, guest: Guest, answer: Callable[[bytes | None], None]) -> None:
        """The members of the guest's group as JSON, a list of `{"client_id", "protocol", "since"}`.

        `answer` may be called before this returns.
        """


class Clock(Protocol):
    """The time of day."""

    def microseconds(self) -> int:
        """Since the epoch, UTC."""


class Rate(Protocol):
    """How fast one connection may speak."""

    def spend(self) -> Pace:
        """Count one message."""


class Names(Protocol):
    """Whom a client id means."""

    def resolve(self, tenant: str, name: str) -> str | None:
        """The one name of whoever is called so, or `None` for what is no name."""


class Tally(Protocol):
    """What is counted for the operator."""

    def refused(self, tenant: str, code: str) -> None:
        """One message or connection was refused."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that a session needs, handed in once by whoever builds it."""

    bus: Bus
    presence: Presence
    clock: Clock
    names: Names
    tally: Tally


class Receiver(Protocol):
    """What a socket calls: a session of either language."""

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """One text frame from the client."""

    def refuse(self, code: str, **extra: object) -> None:
        """Tell the client why, with `extra` members, and close where the closed list says so."""


class AdmittedClient(Protocol):
    """A client that was let in, and waits for the answer to its handshake."""

    @property
    def guest(self) -> Guest:
        """Who it is."""

    async def serve(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, accept, and stay until the connection is over; `session` makes the one that it has."""


class Handshake(Protocol[Request]):
    """The way in: settles who a client is. What is answered in HTTP (origin, overload) is no concern of a door."""

    async def admit(self, request: Request, group_id: str, client_id: str) -> AdmittedClient:
        """Raises `Refused`."""
