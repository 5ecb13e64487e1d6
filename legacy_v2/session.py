"""The session of one V2 connection, whose client may send anything. It acts through its ports.

It never awaits and never parses a frame: every text frame is passed to the bus unchanged. The client is answered only
when a frame is refused: by the session, if it exceeds the rate, or by the bus.
"""

from functools import partial
from typing import Final

from legacy_v2.ports import Guest, Ports, Rate, Receipt, Socket
from legacy_v2.refusals import FLOODED, REFUSALS, refusal_frame, refusal_value


class Session:
    """One open V2 connection."""

    def __init__(self, guest: Guest, socket: Socket, rate: Rate, ports: Ports) -> None:
        self.guest: Final = guest
        self._socket = socket
        self._rate = rate
        self._ports = ports
        self._touch = ports.presence.sign_of_life(guest)
        self._last_sent_at = 0

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """Handle one text frame from the client. A refusal goes to `receipt`, or without one to the client."""
        pace = self._rate.spend()
        if pace != "within":
            self._refuse_frame("rate_limited", receipt)
            if pace == "far_over":
                self._socket.close(FLOODED, "rate_limited")
            return
        self._touch()
        sent_at = self._last_sent_at = max(self._ports.clock.microseconds(), self._last_sent_at + 1)
        if receipt is None:
            self._ports.bus.say_frame(self.guest, text, sent_at, self.refuse)
        else:
            refused, heard = partial(self._refuse_frame, receipt=receipt), partial(receipt.taken, sent_at)
            self._ports.bus.say_frame(self.guest, text, sent_at, refused, heard)

    def _refuse_frame(self, code: str, receipt: Receipt | None) -> None:
        if receipt is None:
            self.refuse(code)
        else:
            self._ports.tally.refused(self.guest.tenant, code)
            receipt.refused(refusal_value(REFUSALS[code]))

    def refuse(self, code: str, **extra: object) -> None:
        """Send the refusal with this code to the client. Close the connection if the closed list has a close code."""
        refusal = REFUSALS[code]
        self._ports.tally.refused(self.guest.tenant, code)
        frame = refusal_frame(refusal, **extra)
        if refusal.close is None:
            self._socket.send(frame)
        else:
            self._socket.close(refusal.close, code, frame)
