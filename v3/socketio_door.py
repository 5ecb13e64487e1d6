"""The Socket.IO door of V3: the same session, in the namespace `/v3`. It decides nothing about messages.

Whoever may come in, and as whom, is settled by the same gate as at the raw WebSocket; what differs is how it is said: a
refusal is a `connect_error`, and what became of a message can be its acknowledgement.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic

from v3.ports import Knock, Ports, Rate, Receiver, Refused, Socket, SocketIoGate
from v3.refusals import REFUSALS, payload_of
from v3.session import Session

NAMESPACE: Final = "/v3"


class Acknowledgement:
    """What became of one message, as the answer to its emit."""

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self._answer = answer

    def taken(self, sent_at: str) -> None:
        self._answer({"ok": True, "sent_at": sent_at})

    def refused(self, payload: dict[str, Any]) -> None:
        self._answer(payload)


class SocketIoDoor(Generic[Knock]):
    """The namespace."""

    def __init__(self, gate: SocketIoGate[Knock], ports: Ports) -> None:
        self._gate = gate
        self._ports = ports

    async def enter(self, knock: Knock, given: Mapping[str, str]) -> tuple[str, Any] | None:
        """Let a client in, or say why not: a sentence, and the ERROR's payload."""
        try:
            guest = await self._gate.admit(knock, given.get("group_id", ""), given.get("client_id", ""))

            def session(socket: Socket, rate: Rate) -> Receiver:
                return Session(guest, socket, rate, self._ports)

            await self._gate.open(knock, guest, session)
        except Refused as refused:
            refusal = REFUSALS[refused.code]
            return refusal.sentence, payload_of(refusal)
        return None

    def receipt(self, answer: Callable[[Any], None]) -> Acknowledgement:
        """Who tells the client what became of one message."""
        return Acknowledgement(answer)
