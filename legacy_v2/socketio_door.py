"""The Socket.IO door of V2: the same session, in the namespace `/v2`. It decides nothing about messages.

The same handshake as at the raw WebSocket settles who may come in, and as whom. What differs is how it is said: a
refusal is a `connect_error`, and what became of a frame can be its acknowledgement.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from legacy_v2.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from legacy_v2.refusals import REFUSALS, refusal_value
from legacy_v2.session import Session

NAMESPACE: Final = "/v2"
Request = TypeVar("Request", contravariant=True)
"""A client that asks to join, in the words of the server that received it."""


class Admitted(Protocol):
    """A client that may come in."""

    @property
    def guest(self) -> Guest:
        """Who it is."""

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, and carry what is said from now on. Raises `Refused`."""


class SocketIoHandshake(Protocol[Request]):
    """Who may come in, once the handshake in HTTP is over."""

    async def admit(self, request: Request, group_id: str | None, client_id: str | None) -> Admitted:
        """Raises `Refused`."""


class Acknowledgement:
    """What became of one frame, as the answer to its emit."""

    def __init__(self, answer: Callable[[object], None]) -> None:
        self._answer = answer

    def taken(self, sent_at: int) -> None:
        moment = datetime.fromtimestamp(sent_at / 1_000_000, UTC)
        self._answer({"ok": True, "sent_at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"})

    def refused(self, frame: dict[str, Any]) -> None:
        self._answer(frame)


class SocketIoDoor(Generic[Request]):
    """The namespace."""

    def __init__(self, handshake: SocketIoHandshake[Request], ports: Ports) -> None:
        self._handshake = handshake
        self._ports = ports

    async def enter(self, request: Request, given: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
        """Let a client in, or say why not: a sentence, and its code with all that a refused handshake says."""
        try:
            admitted = await self._handshake.admit(
                request, given.get("group_id") or None, given.get("client_id") or None
            )

            def session(socket: Socket, rate: Rate) -> Receiver:
                return Session(admitted.guest, socket, rate, self._ports)

            await admitted.open(session)
        except Refused as refused:
            refusal = REFUSALS[refused.code]
            extra = {} if refused.successor is None else {"successor": refused.successor}
            return refusal.sentence, {"code": refused.code, **refusal_value(refusal, **extra)}
        return None

    def receipt(self, answer: Callable[[object], None]) -> Acknowledgement:
        """Who tells the client what became of one frame."""
        return Acknowledgement(answer)
