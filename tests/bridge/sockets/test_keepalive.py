"""Who is pinged, and when."""

from __future__ import annotations

from bridge.sockets import keepalive
from bridge.sockets.keepalive import BEATS, Keepalive
from tests.bridge.broker.parts import until


class Pinged:
    """A socket that counts its pings, and takes itself out at the last."""

    def __init__(self, pings: int = 1) -> None:
        self.pings = 0
        self.most = pings
        self.beat: dict[Pinged, None] = {}

    def ping(self) -> None:
        self.pings += 1
        if self.pings == self.most:
            del self.beat[self]


def added(to: Keepalive, one: Pinged) -> Pinged:
    one.beat = to.add(one)  # type: ignore[assignment]
    return one


async def test_each_is_pinged_once_a_round_until_it_ends() -> None:
    kept = Keepalive(0.2)
    one, other = added(kept, Pinged(3)), added(kept, Pinged(1))
    await until(lambda: one.pings == 3)
    assert other.pings == 1
    assert kept._timer is None or not any(kept._beats)


async def test_the_first_ping_comes_when_a_round_is_almost_over() -> None:
    kept = Keepalive(100)
    one = added(kept, Pinged())
    for _ in range(BEATS - 2):
        kept._next()
    assert one.pings == 0
    kept._next()
    assert one.pings == 1
    assert kept._timer is not None
    kept._timer.cancel()


async def test_who_is_alone_has_a_timer_and_nobody_has_none() -> None:
    kept = Keepalive(0.02)
    assert kept._timer is None
    one = added(kept, Pinged())
    await until(lambda: one.pings == 1)
    await until(lambda: kept._timer is None)
    assert added(kept, Pinged()).pings == 0
    await until(lambda: kept._timer is None)


async def test_of_many_not_all_are_pinged_in_one_turn_and_none_that_has_ended_meanwhile() -> None:
    kept = Keepalive(100)
    many = [added(kept, Pinged(2)) for _ in range(keepalive.AT_ONCE + 2)]
    for _ in range(BEATS - 1):
        kept._next()
    assert sum(one.pings for one in many) == keepalive.AT_ONCE
    del many[-1].beat[many[-1]]
    await until(lambda: many[-2].pings == 1)
    assert many[-1].pings == 0
    assert kept._timer is not None
    kept._timer.cancel()


async def test_nobody_is_pinged_where_that_is_turned_off() -> None:
    kept = Keepalive(0)
    added(kept, Pinged())
    assert kept._timer is None
