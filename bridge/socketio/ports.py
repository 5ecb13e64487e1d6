"""The interfaces between a session and its surroundings: the server, and the doors of V2 and V3. Pure.

Each namespace is the door of V2 or of V3. A client that asks to join it is described by a `JoinRequest`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from bridge.budget.budget import Budget
from bridge.budget.drain import OutboxBounds
from bridge.records.counters import Counts
from bridge.socketio.pending_sessions import PendingSessions
from bridge.sockets.outbox import Wire
from bridge.sockets.ports import Carried

Refusal = tuple[str, object]
"""Why a client may not join a namespace: a sentence for people, and data for programs."""


class NamespaceWire(Wire, Protocol):
    """Sends to one client in one namespace. Its close ends the connection to that namespace."""

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""

    def join(self, carried: Carried) -> None:
        """Add the connection `carried` to the namespace, and confirm it to the client."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A client's request to join one namespace, and the wire to answer it.

    `query`: all fields of the URL's query and then of the CONNECT packet, repeated ones included. A field in the
    CONNECT packet replaces those of the same name in the URL. `address`: the client's IP address, for shares and
    budgets.
    """

    headers: Headers
    query: Sequence[tuple[str, str]]
    address: str
    wire: NamespaceWire


class Door(Protocol):
    """The namespace of V2 or of V3."""

    async def enter(self, request: JoinRequest, given: Mapping[str, str]) -> Refusal | None:
        """Connect a client, or return the refusal. `given`: the fields of `request.query`, the last if repeated."""

    def receipt(self, answer: Callable[[object], None]) -> object:
        """A receipt for one message, which gives its result to `answer`. `answer` sends it as the acknowledgement."""


class Home(Protocol):
    """What a session needs from the server around it."""

    max_message_bytes: int
    broken: int

    @property
    def counts(self) -> Counts:
        """The counters of the process."""

    @property
    def outbox_bounds(self) -> OutboxBounds:
        """How much may wait for polls of one session, and how fast they must take it."""

    @property
    def budget(self) -> Budget:
        """The budget of the process."""

    @property
    def doors(self) -> Mapping[str, Door]:
        """The namespaces by their names."""

    @property
    def pending(self) -> PendingSessions:
        """The sessions that are in no namespace."""

    def now(self) -> float:
        """The time of the event loop's clock, in seconds."""

    def framed(self, blob: bytes) -> bytes:
        """Packets as WebSocket text frames. `blob`: packets with `packets.SEPARATOR` between them."""

    def keep_unjoined(self, sid: str, address: str) -> None:
        """Register the session as one in no namespace."""

    def forget(self, sid: str) -> None:
        """Remove the session: it is over."""
