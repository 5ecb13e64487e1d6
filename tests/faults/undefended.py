"""`python -m tests.faults.undefended DEFENCE serve …`: the command line with one defence taken out, by its name.

As `tests/hostile/undefended.py`, of what defends against faults: it proves that a row of faults can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import hiredis

from tests.hostile.undefended import Changed, always, never, nothing, serve_without, without_waiting

NEVER_SECONDS: Final = 3_600.0
HASTE: Final[Mapping[str, Mapping[str, Any]]] = {
    "short leases": {
        "bridge.broker.leases:LEASE_SECONDS": 5,
        "bridge.broker.leases:RENEWAL_SECONDS": 1.0,
        "bridge.broker.leases:PATIENCE_SECONDS": 2.0,
    },
    "short pings": {
        "bridge.runtime.server:PING_SECONDS": 2.0,
    },
}
"""No defence less, but sooner: nobody waits for half a minute to see what can be seen in seconds."""


def each_read_by_itself(self: Any, data: bytes) -> None:
    """As if whatever is read at once were whole."""
    self._reader = hiredis.Reader(notEnoughData=self._reader.gets())
    self._take(data)


def taken_whatever_redis_says(self: Any, batch: Any, _reply: Any) -> None:
    for done, _ in batch.dones:
        self._bus.replies.answer(done, 1)


def until_it_was_lost(lost: Callable[[Any, float], None]) -> Callable[[Any, float], None]:
    """As if all had been heard that was said before."""
    return lambda self, _certain_until: lost(self, self._loop.time())


def none_of_them(*_arguments: Any) -> list[bytes]:
    return []


def all_of_them(batch: Sequence[Any], _group: str, _client: str | None) -> list[Any]:
    return list(batch)


def whatever_there_is(self: Any, _position: int) -> list[Any]:
    return list(self.messages)


def a_little_later(part: Callable[..., str | None]) -> Callable[..., str | None]:
    """As if all had been heard that is said in the next moment."""
    return lambda self, place, channels, number: part(self, place, channels, number and number + 50_000)


async def elsewhere(*_arguments: Any) -> int:
    """Nobody listens there."""
    return 0


def for_certain(_self: Any, done: Callable[[bool], None]) -> None:
    done(True)


def one_for_all(self: Any, _tenant: str, group: str) -> bytes:
    """A channel that all tenants share."""
    return f"{self._channels}:{{all:g:{group}}}".encode()


def above_its_bound(self: Any, waiting_bytes: int, _now_seconds: float) -> bool:
    """As if whoever does not take everything at once were slow."""
    return bool(waiting_bytes > self._bounds.most_bytes)


def of_any_database(init: Callable[..., None]) -> Callable[..., None]:
    """As if a database had channels of its own."""
    return lambda self, prefix, _database=0: init(self, prefix)


def the_first_few(split: Callable[[bytes], list[str]]) -> Callable[[bytes], list[str]]:
    """As Engine.IO's own servers do."""
    return lambda body: split(body)[:16]


DEFENCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "announcement": {"bridge.broker.outage:Outage.lost": nothing},
    "certainty": {"bridge.broker.outage:Outage.lost": Changed(until_it_was_lost)},
    "proof": {"bridge.continuity.missed:Kept.is_whole_since": always},
    "positions": {"bridge.continuity.missed:Kept.after": whatever_there_is},
    "cursors of those who are moved": {"bridge.continuity.departures:Departures.part": Changed(a_little_later)},
    "refusals": {"bridge.broker.history:History._answered": taken_whatever_redis_says},
    "deadline of answers": {"bridge.broker.bus:ANSWER_SECONDS": NEVER_SECONDS},
    "deadline of pings": {"bridge.broker.subscriber:SILENCE_SECONDS": NEVER_SECONDS},
    "patience with pings": {
        "bridge.broker.subscriber:SILENCE_SECONDS": 0.05,
        "bridge.broker.subscriber:PING_SECONDS": 0.1,
    },
    "reading in pieces": {"bridge.broker.link:Link.data_received": each_read_by_itself},
    "end of the link before": {"bridge.broker.trial:_killing": none_of_them},
    "looks at the address": {"bridge.broker.same_server:SameServer._look_by_address": without_waiting},
    "comparison of servers": {"bridge.broker.same_server:SameServer._part": nothing},
    "reading of answers from the address": {"bridge.broker.same_server:SameServer._heard_by_address": elsewhere},
    "attendance": {"bridge.broker.attendance:Attendance.ask": for_certain},
    "sweeps": {"bridge.broker.leases:Leases._claim": nothing},
    "leases that outlast a stall": {
        "bridge.broker.leases:LEASE_SECONDS": 3,
        "bridge.broker.leases:RENEWAL_SECONDS": 0.5,
    },
    "last words": {"bridge.sockets.ports:HEARD_OUT": frozenset()},
    "pings": {"bridge.sockets.websocket_closing:WebSocketClosing._end_silent": nothing},
    "narrow channels": {"bridge.messaging.hub:_others": all_of_them},
    "judgement of readers": {"bridge.budget.drain:Drain.is_too_slow": never},
    "room for the largest": {
        "bridge.config.sections:MESSAGES_IN_OUTBOX": 0,
        "bridge.budget.drain:Drain.is_too_slow": above_its_bound,
    },
    "time to drain": {"bridge.budget.drain:Drain.is_too_slow": above_its_bound},
    "database in names": {"bridge.broker.addresses:Addresses.__init__": Changed(of_any_database)},
    "packets of a post": {"bridge.socketio.polling:_texts_in": Changed(the_first_few)},
    "ends that call back": {
        "bridge.socketio.engine:calls_back": never,
        "bridge.socketio.session:calls_back": never,
    },
    "tenants apart": {"bridge.broker.addresses:Addresses.group": one_for_all},
}


def main() -> None:
    """One of these."""
    serve_without({**DEFENCES, **HASTE})


if __name__ == "__main__":
    main()
