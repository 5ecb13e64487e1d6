"""The Socket.IO door of V3: the same session, in the namespace `/v3`. It decides nothing about messages.

The same handshake as at the raw WebSocket settles who may come in, and as whom. What differs is how it is said: a
refusal is a `connect_error`, and what became of a message can be its acknowledgement.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from v3.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from v3.refusals import REFUSALS, payload_of
from v3.session import Session

NAMESPACE: Final = "/v3"
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

    async def admit(self, request: Request, group_id: str, client_id: str) -> Admitted:
        """Raises `Refused`."""


class Acknowledgement:
    """What became of one message, as the answer to its emit."""

    def __init__(self, answer: Callable[[object], None]) -> None:
        self._answer = answer

    def taken(self, sent_at: str) -> None:
        self._answer({"ok": True, "sent_at": sent_at})

    def refused(self, payload: dict[str, Any]) -> None:
        self._answer(payload)


class SocketIoDoor(Generic[Request]):
    """The namespace."""

    def __init__(self, handshake: SocketIoHandshake[Request], ports: Ports) -> None:
        self._handshake = handshake
        self._ports = ports

    async def enter(self, request: Request, given: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
        """Let a client in, or say why not: a sentence, and the ERROR's payload."""
        try:
            admitted = await self._handshake.admit(request, given.get("group_id", ""), given.get("client_id", ""))

            def session(socket: Socket, rate: Rate) -> Receiver:
                return Session(admitted.guest, socket, rate, self._ports)

            await admitted.open(session)
        except Refused as refused:
            refusal = REFUSALS[refused.code]
            return refusal.sentence, payload_of(refusal)
        return None

    def receipt(self, answer: Callable[[object], None]) -> Acknowledgement:
        """Who tells the client what became of one message."""
        return Acknowledgement(answer)
