"""What one V3 client may do. It decides, and acts through its ports; it never awaits, and never sees Redis or a socket.

A message is read, stamped with what only the server knows, and handed to whoever its target names. A refused message is
answered with one ERROR and never ends the connection by itself.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from v3.messages import Content, Problem, Unreadable, check_event, content_of, read_said, write, write_members
from v3.ports import Guest, Ports, Rate, Receipt, Socket
from v3.refusals import FLOODED, REFUSALS, error, payload_of


def timestamp(microseconds: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC, `Z`."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)  # a zone would have to be asked how it is called
    return f"{moment.isoformat()}.{fraction:06d}Z"


class Session:
    """One open V3 connection."""

    def __init__(self, guest: Guest, socket: Socket, rate: Rate, ports: Ports) -> None:
        self.guest: Final = guest
        self._socket = socket
        self._rate = rate
        self._ports = ports
        self._last_sent_at = 0
        self._second = -1
        self._second_text = ""

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """One text frame from the client. A refusal goes to the receipt where there is one, else it is an ERROR."""
        pace = self._rate.spend()
        if pace != "within":
            self._refuse_message("rate_limited", receipt)  # unread: refusing must cost less than reading
            if pace == "far_over":
                self._socket.close(FLOODED, "rate_limited")
            return
        try:
            said = read_said(text)
            check_event(said)
        except Unreadable as unreadable:
            self._refuse_message(unreadable.code, receipt, unreadable.problems, unreadable.refused)
            return
        self._act(content_of(said), receipt)

    def refuse(self, code: str, **extra: object) -> None:
        """Tell the client why, and close where the closed list says so."""
        self._refuse(code, (), None, extra)

    def _refuse(
        self, code: str, problems: Iterable[Problem], refused: Mapping[str, Any] | None, extra: Mapping[str, object]
    ) -> None:
        refusal = REFUSALS[code]
        self._ports.tally.refused(self.guest.tenant, code)
        message = error(refusal, self.guest.group_id, self._stamp(), problems=problems, refused=refused, extra=extra)
        if refusal.close is None:
            self._socket.send(message)
        else:
            self._socket.close(refusal.close, code, message)

    def _refuse_message(
        self,
        code: str,
        receipt: Receipt | None,
        problems: Iterable[Problem] = (),
        refused: Mapping[str, Any] | None = None,
    ) -> None:
        if receipt is None:
            self._refuse(code, problems, refused, {})
        else:
            self._ports.tally.refused(self.guest.tenant, code)
            receipt.refused(payload_of(REFUSALS[code], problems, refused) | {"msg": REFUSALS[code].sentence})

    def _act(self, content: Content, receipt: Receipt | None) -> None:
        said = _refused(content)  # as its sender named the recipient
        if "to_id" in content and not self._resolve(content, receipt):
            return
        if content["msg_type"] == "heartbeat":
            self._ports.presence.refresh(self.guest)
            self._return(content, receipt)
        elif content["target"] == "echo":
            self._echo(content, receipt)
        elif content["target"] == "broadcast" and self.guest.grant == "none":
            self._refuse_message("not_allowed", receipt, refused=said)
        else:
            self._say(content, said, receipt)

    def _echo(self, content: Content, receipt: Receipt | None) -> None:
        if content["msg_type"] != "presence":
            self._return(content, receipt)
            return

        def answer(members: bytes | None) -> None:
            if members is None:
                self._refuse_message("bus_down", receipt, refused=_refused(content))
            else:
                self._return(content, receipt, members)

        self._ports.presence.members(self.guest, answer)

    def _return(self, content: Content, receipt: Receipt | None, members: bytes | None = None) -> None:
        """To the sending connection, and nobody else."""
        sent_at = self._stamp()
        if members is None:
            self._socket.send(self._write(content, sent_at))
        else:
            self._socket.send(write_members(content, self.guest.client_id, self.guest.group_id, sent_at, members))
        if receipt is not None:
            receipt.taken(sent_at)

    def _resolve(self, content: Content, receipt: Receipt | None) -> bool:
        """Put the recipient's one name into the message; false where it is no name and was refused."""
        to_id = self._ports.names.resolve(self.guest.tenant, content["to_id"])
        if to_id is None:
            problem: Problem = {"field": "to_id", "problem": "is no Vision ID: use the random string id, not a number"}
            self._refuse_message("invalid_message", receipt, [problem], _refused(content))
            return False
        content["to_id"] = to_id
        return True

    def _say(self, content: Content, said: Mapping[str, Any], receipt: Receipt | None) -> None:
        def refused(code: str) -> None:
            self._refuse_message(code, receipt, refused=said)

        sent_at = self._stamp()
        heard = None if receipt is None else lambda: receipt.taken(sent_at)
        self._ports.bus.say(self.guest, content, sent_at, refused, heard)

    def _write(self, content: Content, sent_at: str) -> bytes:
        return write(content, self.guest.client_id, self.guest.group_id, sent_at)

    def _stamp(self) -> str:
        """Strictly increasing for what this connection is sent at."""
        now = max(self._ports.clock.microseconds(), self._last_sent_at + 1)
        self._last_sent_at = now
        second, fraction = divmod(now, 1_000_000)
        if second != self._second:
            self._second, self._second_text = second, timestamp(now)[:20]
        return f"{self._second_text}{fraction:06d}Z"


def _refused(content: Content) -> dict[str, Any]:
    return {name: content[name] for name in ("msg_type", "target", "to_id", "cmd") if name in content}
