"""The interfaces (ports) that V3 needs from outside, as protocols. They have no implementation: `bridge` provides it.

Every call of a session is synchronous. A call whose answer comes from Redis takes a callback, which is called once,
later and synchronously, with the answer, or with `None` when there is no answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from v3.messages import Content

Grant = Literal["none", "tenant", "platform"]
Pace = Literal["within", "over", "far_over"]
Request = TypeVar("Request", contravariant=True)
"""The handshake request, in the type of the framework that received it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """The client of one connection, decided once at the handshake; no message changes it.

    `protocol` is the protocol's name in presence.
    """

    tenant: str
    group_id: str
    client_id: str
    grant: Grant
    protocol: str = "v3"


class Refused(Exception):
    """A handshake is refused. `code`: one of the closed list. `group_id`: the one in the path, empty if invalid.

    `sentence`: why, where that is known better than the code's own sentence says it. `told`: more for the payload.
    """

    def __init__(
        self, code: str, group_id: str = "", sentence: str = "", told: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.group_id = group_id
        self.sentence = sentence
        self.told = dict(told or {})


class Socket(Protocol):
    """Sends to one client. `send` never waits and never fails; the implementation bounds what is buffered."""

    @property
    def is_leaving(self) -> bool:
        """Whether the client is about to be sent away, and may not be sent everything any more."""

    def send(self, text: bytes) -> None:
        """Send one text frame; `text` is UTF-8."""

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Send the text frame `last`, if there is one, then the close frame, after everything sent so far."""


class Receipt(Protocol):
    """Takes the result of one message, when the transport can acknowledge single messages (Socket.IO)."""

    def taken(self, sent_at: str) -> None:
        """The message was published at this time (ISO 8601)."""

    def refused(self, payload: dict[str, Any]) -> None:
        """The message was refused. `payload`: that of the ERROR that a client without receipts is sent."""


class Voice(Protocol):
    """Publishes the messages of one connection."""

    def say(self, content: Content, sent_at: str, answered: Callable[[int | None], None]) -> None:
        """Publish on the channels of the content's target. `sent_at` is ISO 8601.

        Later `answered` is called once: with how many processes have received it, or `None` if it is not known whether
        Redis has taken it (or, for one recipient, whether it is connected to a process that cannot be reached).
        """


class Bus(Protocol):
    """Publishes messages to other clients."""

    def voice(self, guest: Guest) -> Voice:
        """The voice of a connection."""


class Presence(Protocol):
    """The clients that are connected now."""

    def refresh(self, guest: Guest) -> None:
        """Keep the guest present for another full period (an hour, if not configured otherwise).

        When this returns, Redis need not have confirmed it yet.
        """

    def members(self, guest: Guest, answer: Callable[[bytes | None], None]) -> None:
        """Call `answer` with the members of the guest's group: JSON, a list of `{"client_id", "protocol", "since"}`.

        `answer` gets `None` when Redis does not answer. It may be called before this returns.
        """


class Positions(Protocol):
    """What each connection has heard."""

    def cursor(self, guest: Guest, answer: Callable[[str | None], None]) -> None:
        """Call `answer` with the cursor of the guest's connection, once everything before it has been sent.

        `answer` gets `None` where there is none. It may be called before this returns.
        """


class Clock(Protocol):
    """The wall clock."""

    def microseconds(self) -> int:
        """The time now, in microseconds since the epoch."""


class Rate(Protocol):
    """The message rate of one connection."""

    def spend(self) -> Pace:
        """Count one message, and return how the connection's rate stands to its limit."""


class Names(Protocol):
    """Finds the canonical name of a client id."""

    def resolve(self, tenant: str, name: str) -> str | None:
        """The canonical name of the client with this id in the tenant, or `None` when the id is not valid."""


class Tally(Protocol):
    """Counts refusals for the operator's metrics."""

    def refused(self, tenant: str, code: str) -> None:
        """Count one refused message or connection."""


Answer = Callable[[Guest, object], object]
"""What a client is told that asks with this value; `None` if the value is no question."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports that a session needs. `answers`: by the member of a heartbeat's payload that asks."""

    bus: Bus
    presence: Presence
    clock: Clock
    names: Names
    tally: Tally
    positions: Positions
    answers: Mapping[str, Answer] = field(default_factory=dict)


class Receiver(Protocol):
    """The interface of a session to the socket that it reads from."""

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """Handle one text message of the client."""

    def refuse(self, code: str, **extra: object) -> None:
        """Send the client an ERROR with this code and the members `extra`; close if the closed list says so."""


class AdmittedClient(Protocol):
    """A client that was admitted, and whose handshake is not answered yet."""

    @property
    def guest(self) -> Guest:
        """The client's tenant, ids and grant."""

    async def serve(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, accept the handshake, and return when the connection is over. `session` makes its session."""


class Handshake(Protocol[Request]):
    """Authenticates and admits clients. Refusals with an HTTP status (origin, overload) do not reach a door."""

    async def admit(self, request: Request, group_id: str, client_id: str) -> AdmittedClient:
        """The client that sent this request; ids are as in the path. Raises `Refused`."""
