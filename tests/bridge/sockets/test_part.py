"""What is told of the sockets of a process."""

from __future__ import annotations

from bridge.sockets.part import Sockets
from bridge.sockets.strangers import Strangers
from tests.bridge.assembled import numbers


class Socket:
    def abort(self) -> None: ...


def test_open_sockets_are_told_and_why_others_were_ended() -> None:
    strangers, known = Strangers(3, 3, 1), Socket()
    strangers.came(known, "192.0.2.1")
    strangers.vouch(known)
    for _ in range(3):
        strangers.came(Socket(), "192.0.2.1")
    told = numbers(Sockets(strangers))
    assert (told["bridge_sockets", "vouched_for"], told["bridge_sockets", "stranger"]) == (1, 1)
    assert told["bridge_sockets_most"] == 3
    assert (told["bridge_sockets_ended_total", "address"], told["bridge_sockets_ended_total", "unread"]) == (2, 0)
