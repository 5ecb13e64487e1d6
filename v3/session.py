"""The session of one V3 connection: it decides what the client may do, and acts through its ports.

It never awaits, and knows neither Redis nor the transport. A message is parsed, gets the fields that only the server
sets, and goes to the listeners that its target names. A refused message is answered with one ERROR message; a refusal
does not end the connection by itself.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from v3.messages import Content, Problem, Unreadable, echo_of, timestamp, write, write_members
from v3.ports import Guest, Ports, Rate, Receipt, Socket
from v3.refusals import FLOODED, REFUSALS, error, payload_of, unheard
from v3.said import read_content
from v3.unanswered import Round, Unanswered


class Session:
    """One open V3 connection."""

    def __init__(self, guest: Guest, socket: Socket, rate: Rate, ports: Ports) -> None:
        self.guest: Final = guest
        self._socket = socket
        self._rate = rate
        self._ports = ports
        self._voice = ports.bus.voice(guest)
        self._last_sent_at = 0
        self._unanswered = Unanswered()

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """Handle one text frame from the client. A refusal goes to `receipt`, or without one to the client."""
        pace = self._rate.spend()
        if pace != "within":
            self._refuse_message("rate_limited", receipt)  # not parsed: refusing must cost less
            if pace == "far_over":
                self._socket.close(FLOODED, "rate_limited")
            return
        try:
            content = read_content(text)
        except Unreadable as unreadable:
            self._refuse_message(unreadable.code, receipt, unreadable.problems, unreadable.refused)
            return
        self._act(content, receipt)

    def refuse(self, code: str, **extra: object) -> None:
        """Send the ERROR with this code to the client. Close the connection if the closed list has a close code."""
        self._refuse(code, (), None, extra)

    def _refuse(
        self, code: str, problems: Iterable[Problem], refused: Mapping[str, object] | None, extra: Mapping[str, object]
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
        refused: Mapping[str, object] | None = None,
    ) -> None:
        if receipt is None:
            self._refuse(code, problems, refused, {})
        else:
            self._ports.tally.refused(self.guest.tenant, code)
            receipt.refused(payload_of(REFUSALS[code], problems, refused) | {"msg": REFUSALS[code].sentence})

    def _act(self, said: Content, receipt: Receipt | None) -> None:
        content = self._addressed(said, receipt) if "to_id" in said else said
        if content is None:
            return
        if content["msg_type"] == "heartbeat":
            self._ports.presence.refresh(self.guest)
            self._return_heartbeat(self._answer(content), receipt)
        elif content["target"] == "echo":
            self._echo(content, receipt)
        elif content["target"] == "broadcast" and self.guest.grant == "none":
            self._refuse_message("not_allowed", receipt, refused=echo_of(said))
        else:
            self._say(content, said, receipt)

    def _answer(self, heartbeat: Content) -> Content:
        """The heartbeat as it comes back: a member of its payload that asks for something is replaced by the answer."""
        payload, answers = heartbeat.get("payload", {}), self._ports.answers
        told = {name: answers[name](self.guest, payload[name]) for name in payload.keys() & answers.keys()}
        told = {name: answer for name, answer in told.items() if answer is not None}
        return {**heartbeat, "payload": payload | told} if told else heartbeat

    def _return_heartbeat(self, content: Content, receipt: Receipt | None) -> None:
        payload = content.get("payload", {})
        if payload.get("cursor") is not True:
            self._return(content, receipt)
            return

        def answer(cursor: str | None) -> None:
            told = None if self._socket.is_leaving else cursor  # with one it would miss what it is not sent any more
            self._return({**content, "payload": {**payload, "cursor": told}}, receipt)

        self._ports.positions.cursor(self.guest, answer)

    def _echo(self, content: Content, receipt: Receipt | None) -> None:
        if content["msg_type"] != "presence":
            self._unanswered.echo(lambda: self._return(content, receipt))
            return

        def answer(members: bytes | None) -> None:
            if members is None:
                self._refuse_message("bus_down", receipt, refused=echo_of(content))
            else:
                self._return(content, receipt, members)

        self._ports.presence.members(self.guest, answer)

    def _return(self, content: Content, receipt: Receipt | None, members: bytes | None = None) -> None:
        """Send the message back to the connection that sent it, and to nobody else."""
        sent_at = self._stamp()
        if members is None:
            self._socket.send(self._write(content, sent_at))
        else:
            self._socket.send(write_members(content, self.guest.client_id, self.guest.group_id, sent_at, members))
        if receipt is not None:
            receipt.taken(sent_at)

    def _addressed(self, said: Content, receipt: Receipt | None) -> Content | None:
        """The message with its recipient's current name. `None`, after a refusal, if it is no valid name."""
        to_id = self._ports.names.resolve(self.guest.tenant, said["to_id"])
        if to_id is None:
            problem: Problem = {"field": "to_id", "problem": "is no Vision ID: use the random string id, not a number"}
            self._refuse_message("invalid_message", receipt, [problem], echo_of(said))
            return None
        return {**said, "to_id": to_id}

    def _say(self, content: Content, said: Content, receipt: Receipt | None) -> None:
        """Publish a message. `said`: with its recipient as the client wrote it."""
        sent_at = self._stamp()
        self._voice.say(content, sent_at, partial(self._answered, said, sent_at, receipt, self._unanswered.say()))

    def _answered(
        self, said: Content, sent_at: str, receipt: Receipt | None, round_: Round, heard_by: int | None
    ) -> None:
        code = unheard(said, heard_by)
        if code is not None:
            self._refuse_message(code, receipt, refused=echo_of(said))
        elif receipt is not None:
            receipt.taken(sent_at)
        self._unanswered.answered(round_)

    def _write(self, content: Content, sent_at: str) -> bytes:
        return write(content, self.guest.client_id, self.guest.group_id, sent_at)

    def _stamp(self) -> str:
        """The `sent_at` of the next message. Strictly increasing within one connection."""
        now = self._last_sent_at = max(self._ports.clock.microseconds(), self._last_sent_at + 1)
        return timestamp(now)
