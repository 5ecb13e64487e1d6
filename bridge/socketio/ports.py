"""What a session needs from the server around it, and the two of a language that it joins. Pure.

A namespace is a language's door; whoever asks to join it brings a `JoinRequest`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from bridge.socketio.unjoined import Unjoined
from bridge.sockets.outbox import Wire
from bridge.sockets.ports import Carried

Refusal = tuple[str, object]
"""Why a client may not join a namespace: a sentence, and data for programs."""


class NamespaceWire(Wire, Protocol):
    """The way back to one client in one namespace. Its close is an end in that namespace."""

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""

    def join(self, carried: Carried) -> None:
        """The client is in the namespace from now on."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A client asks to join one namespace: what it brought, and the way back to it.

    `query`: each field as often as it was sent, those of its CONNECT behind all others, whose place they take.
    `address`: the one for which the client counts.
    """

    headers: Headers
    query: Sequence[tuple[str, str]]
    address: str
    wire: NamespaceWire


class Door(Protocol):
    """One language's namespace."""

    async def enter(self, request: JoinRequest, given: Mapping[str, str]) -> Refusal | None:
        """Let a client in, or say why not. `given`: the query by name, of a doubled field the last."""

    def receipt(self, answer: Callable[[object], None]) -> object:
        """What the session tells of one message; `answer` sends it as the acknowledgement."""


class Home(Protocol):
    """The server, as a session knows it."""

    max_message_bytes: int
    broken: int

    @property
    def doors(self) -> Mapping[str, Door]:
        """The namespaces by their names."""

    @property
    def unjoined(self) -> Unjoined:
        """The sessions that are in no namespace."""

    def now(self) -> float:
        """Seconds of the loop's clock."""

    def framed(self, blob: bytes) -> bytes:
        """Packets as the frames of a websocket."""

    def keep_unjoined(self, sid: str, address: str) -> None:
        """The session is in no namespace from now on."""

    def forget(self, sid: str) -> None:
        """The session is over."""
