"""The Socket.IO door of V2: the same session, in the namespace `/v2`. It decides nothing about messages.

Whoever may come in, and as whom, is settled by the same gate as at the raw WebSocket; what differs is how it is said: a
refusal is a `connect_error`, and what became of a frame can be its acknowledgement.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic

from legacy_v2.ports import Knock, Ports, Rate, Receiver, Refused, Socket, SocketIoGate
from legacy_v2.refusals import REFUSALS, refusal_value
from legacy_v2.session import Session

NAMESPACE: Final = "/v2"


class Acknowledgement:
    """What became of one frame, as the answer to its emit."""

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self._answer = answer

    def taken(self, sent_at: int) -> None:
        moment = datetime.fromtimestamp(sent_at / 1_000_000, UTC)
        self._answer({"ok": True, "sent_at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"})

    def refused(self, frame: dict[str, Any]) -> None:
        self._answer(frame)


class SocketIoDoor(Generic[Knock]):
    """The namespace."""

    def __init__(self, gate: SocketIoGate[Knock], ports: Ports) -> None:
        self._gate = gate
        self._ports = ports

    async def enter(self, knock: Knock, given: Mapping[str, str]) -> tuple[str, Any] | None:
        """Let a client in, or say why not: a sentence, and its code with all that a refused handshake says."""
        try:
            guest = await self._gate.admit(knock, given.get("group_id") or None, given.get("client_id") or None)

            def session(socket: Socket, rate: Rate) -> Receiver:
                return Session(guest, socket, rate, self._ports)

            await self._gate.open(knock, guest, session)
        except Refused as refused:
            refusal = REFUSALS[refused.code]
            extra = {} if refused.successor is None else {"successor": refused.successor}
            return refusal.sentence, {"code": refused.code, **refusal_value(refusal, **extra)}
        return None

    def receipt(self, answer: Callable[[Any], None]) -> Acknowledgement:
        """Who tells the client what became of one frame."""
        return Acknowledgement(answer)
