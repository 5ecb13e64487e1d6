"""What one V2 client may do: say anything. It acts through its ports, never awaits, and never reads what is said.

Every text frame is passed on as it is; only a flood, and a bus that is down, are answered.
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
        self._last_sent_at = 0

    def receive(self, text: str, receipt: Receipt | None = None) -> None:
        """One text frame from the client. A refusal goes to the receipt where there is one."""
        pace = self._rate.spend()
        if pace != "within":
            self._refuse_frame("rate_limited", receipt)
            if pace == "far_over":
                self._socket.close(FLOODED, "rate_limited")
            return
        self._ports.presence.touch(self.guest)
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
        """Tell the client why, and close where the closed list says so."""
        refusal = REFUSALS[code]
        self._ports.tally.refused(self.guest.tenant, code)
        frame = refusal_frame(refusal, **extra)
        if refusal.close is None:
            self._socket.send(frame)
        else:
            self._socket.close(refusal.close, code, frame)
