"""What V2 needs from outside, in its own words. It never says how: `bridge` fits these and hands them in.

Everything a session calls is synchronous; a callback is called once, later and synchronously.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Grant = Literal["none", "tenant", "platform"]
Pace = Literal["within", "over", "far_over"]
Request = TypeVar("Request", contravariant=True)
"""A handshake, in the words of the framework that received it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who a connection is: its ids as they stand in the path, and the names by which V3 knows them.

    `is_generated`: the path had no client id, and this one was made up for the connection.
    """

    tenant: str
    group_id: str
    client_id: str
    group_name: str
    client_name: str
    grant: Grant
    is_generated: bool = False
    protocol: str = "v2"


class Refused(Exception):
    """A handshake is refused with a code of the closed list; `successor` is the V3 path of who is sent there.

    `headers` are the response's, where there are any.
    """

    def __init__(self, code: str, successor: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.successor = successor
        self.headers = dict(headers or {})


class Socket(Protocol):
    """The way back to one client. Bounded by its owner: `send` never waits and never fails."""

    def send(self, text: bytes) -> None:
        """One text frame, UTF-8."""

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Everything sent so far, one last text frame where there is one, then the close frame."""


class Receipt(Protocol):
    """Who waits to be told what became of one frame, where the transport can tell it apart from all others."""

    def taken(self, sent_at: int) -> None:
        """It was said, and when (microseconds since the epoch)."""

    def refused(self, frame: dict[str, Any]) -> None:
        """It was not: the frame that is sent otherwise."""


class Bus(Protocol):
    """The way to everyone else, of either language."""

    def say_frame(
        self,
        guest: Guest,
        text: str,
        sent_at: int,
        refused: Callable[[str], None],
        heard: Callable[[], None] | None = None,
    ) -> None:
        """Speak a frame, verbatim to V2; `sent_at` is in microseconds. Later `refused` or `heard` is called."""


class Presence(Protocol):
    """Who is here."""

    def touch(self, guest: Guest) -> None:
        """The guest gave a sign of life."""


class Clock(Protocol):
    """The time of day."""

    def microseconds(self) -> int:
        """Since the epoch, UTC."""


class Rate(Protocol):
    """How fast one connection may speak."""

    def spend(self) -> Pace:
        """Count one message."""


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

    async def admit(self, request: Request, group_id: str | None, client_id: str | None) -> AdmittedClient:
        """Raises `Refused`."""
