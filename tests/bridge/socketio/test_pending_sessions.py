"""Which of the sessions in no namespace gives way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio.pending_sessions import PendingSessions


def test_the_longest_waiting_of_the_address_that_has_most_gives_way() -> None:
    pending = PendingSessions()
    for sid, address in (("a1", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b"), ("a2", "a")):
        pending.add(sid, address)
    assert pending.gives_way() == "b1"
    pending.discard("b1")
    pending.discard("b2")
    assert pending.gives_way() == "a1"
    pending.add("a1", "a")
    assert pending.gives_way() == "a2"


def test_who_goes_leaves_nothing_behind() -> None:
    pending = PendingSessions()
    pending.add("one", "a")
    pending.discard("one")
    pending.discard("one")
    assert (len(pending), "one" in pending, pending._sids) == (0, False, {})


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=40))
def test_whoever_has_fewest_never_gives_way_to_whoever_has_more(arrivals: list[tuple[int, int]]) -> None:
    pending, addresses = PendingSessions(), {}
    for sid, address in arrivals:
        pending.add(str(sid), str(address))
        addresses[str(sid)] = str(address)
        numbers = [list(addresses.values()).count(each) for each in set(addresses.values())]
        assert list(addresses.values()).count(addresses[pending.gives_way()]) == max(numbers)
