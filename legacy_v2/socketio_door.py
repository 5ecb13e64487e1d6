"""The Socket.IO endpoint (door) of V2: the same session, in the namespace `/v2`. It decides nothing about messages.

The same handshake rules as at the WebSocket endpoint decide which clients are admitted, and as whom. Only the form
differs: a refusal is a `connect_error`, and the result of a frame can be its acknowledgement.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from legacy_v2.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from legacy_v2.refusals import REFUSALS, refusal_value
from legacy_v2.session import Session

NAMESPACE: Final = "/v2"
Request = TypeVar("Request", contravariant=True)
"""The request to connect to the namespace, in the type of the Socket.IO server that received it."""


class Admitted(Protocol):
    """A client that was admitted, and is not connected to the namespace yet."""

    @property
    def guest(self) -> Guest:
        """The client's tenant, ids and grant."""

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, and begin the connection with the session that `session` makes. Raises `Refused`."""


class SocketIoHandshake(Protocol[Request]):
    """Authenticates and admits clients that connect to the namespace, after the HTTP handshake of Engine.IO."""

    async def admit(self, request: Request, group_id: str | None, client_id: str | None) -> Admitted:
        """The client that sent this request; an id is `None` when it sent none. Raises `Refused`."""


class Acknowledgement:
    """Sends the result of one frame as the acknowledgement of its EVENT packet."""

    def __init__(self, answer: Callable[[object], None]) -> None:
        self._answer = answer

    def taken(self, sent_at: int) -> None:
        moment = datetime.fromtimestamp(sent_at / 1_000_000, UTC)
        self._answer({"ok": True, "sent_at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"})

    def refused(self, frame: dict[str, Any]) -> None:
        self._answer(frame)


class SocketIoDoor(Generic[Request]):
    """Connects clients to the namespace `/v2`."""

    def __init__(self, handshake: SocketIoHandshake[Request], ports: Ports) -> None:
        self._handshake = handshake
        self._ports = ports

    async def enter(self, request: Request, given: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
        """Connect a client; returns `None`, or for a refusal its sentence, and an object with its code and details.

        `given`: the fields that the client sent in the URL's query and in its CONNECT packet.
        """
        try:
            admitted = await self._handshake.admit(
                request, given.get("group_id") or None, given.get("client_id") or None
            )
            await admitted.open(partial(Session, admitted.guest, ports=self._ports))
        except Refused as refused:
            refusal = REFUSALS[refused.code]
            return str(refused.told.get("msg", refusal.sentence)), {
                "code": refused.code,
                **refusal_value(refusal, **refused.told),
            }
        return None

    def receipt(self, answer: Callable[[object], None]) -> Acknowledgement:
        """A receipt that sends the result of one frame by calling `answer`."""
        return Acknowledgement(answer)
