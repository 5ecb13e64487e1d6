"""The interfaces (ports) that V2 needs from outside, as protocols. They have no implementation: `bridge` provides it.

Every call of a session is synchronous. A callback is called once, later and synchronously.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Grant = Literal["none", "tenant", "platform"]
Pace = Literal["within", "over", "far_over"]
Request = TypeVar("Request", contravariant=True)
"""The handshake request, in the type of the framework that received it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """The client of one connection, decided once at the handshake.

    `group_id` and `client_id` are as in the path; `group_name` and `client_name` are their V3 names. `is_generated`:
    the path had no client id, and the bridge generated this one. `protocol` is the protocol's name in presence.
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
    """A handshake is refused. `code`: one of the closed list.

    `told`: what else the client is told: `successor`, the V3 path to use, and `since`, up to where it has heard
    everything; `msg`, a sentence in place of the code's own. `headers` are sent with the response.
    """

    def __init__(
        self, code: str, told: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.told = dict(told or {})
        self.headers = dict(headers or {})


class Socket(Protocol):
    """Sends to one client. `send` never waits and never fails; the implementation bounds what is buffered."""

    def send(self, text: bytes) -> None:
        """Send one text frame; `text` is UTF-8."""

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Send the text frame `last`, if there is one, then the close frame, after everything sent so far."""


class Receipt(Protocol):
    """Takes the result of one frame, when the transport can acknowledge single frames (Socket.IO)."""

    def taken(self, sent_at: int) -> None:
        """The frame was published at this time, in microseconds since the epoch."""

    def refused(self, frame: dict[str, Any]) -> None:
        """The frame was refused. `frame`: the refusal that a client without receipts is sent."""


class Bus(Protocol):
    """Publishes frames to other clients, on V2 and V3."""

    def say_frame(
        self,
        guest: Guest,
        text: str,
        sent_at: int,
        refused: Callable[[str], None],
        heard: Callable[[], None] | None = None,
    ) -> None:
        """Publish a frame; V2 clients receive it unchanged. `sent_at` is in microseconds since the epoch.

        Later `refused` is called once with a code, or `heard`, if given, when it was published.
        """


class Presence(Protocol):
    """The clients that are connected now."""

    def sign_of_life(self, guest: Guest) -> Callable[[], None]:
        """What keeps the guest present: to be called for each frame that has arrived from it."""


class Clock(Protocol):
    """The wall clock."""

    def microseconds(self) -> int:
        """The time now, in microseconds since the epoch."""


class Rate(Protocol):
    """The message rate of one connection."""

    def spend(self) -> Pace:
        """Count one message, and return how the connection's rate stands to its limit."""


class Tally(Protocol):
    """Counts refusals for the operator's metrics."""

    def refused(self, tenant: str, code: str) -> None:
        """Count one refused message or connection."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports that a session needs."""

    bus: Bus
    presence: Presence
    clock: Clock
    tally: Tally


class Receiver(Protocol):
    """The interface of a session to the socket that it reads from."""

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """Handle one text message of the client."""

    def refuse(self, code: str, **extra: object) -> None:
        """Send the client a refusal with this code and the members `extra`; close if the closed list says so."""


class AdmittedClient(Protocol):
    """A client that was admitted, and whose handshake is not answered yet."""

    @property
    def guest(self) -> Guest:
        """The client's tenant, ids and grant."""

    async def serve(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, accept the handshake, and return when the connection is over. `session` makes its session."""


class Handshake(Protocol[Request]):
    """Authenticates and admits clients. Refusals with an HTTP status (origin, overload) do not reach a door."""

    async def admit(self, request: Request, group_id: str | None, client_id: str | None) -> AdmittedClient:
        """The client that sent this request; ids are as in the path, `None` when left out. Raises `Refused`."""
