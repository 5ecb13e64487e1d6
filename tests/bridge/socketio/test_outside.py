"""Who of those that wait outside gives way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio.outside import Outside


def test_the_longest_waiting_of_the_address_that_has_most_gives_way() -> None:
    outside = Outside()
    for sid, address in (("a1", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b"), ("a2", "a")):
        outside.add(sid, address)
    assert outside.gives_way() == "b1"
    outside.discard("b1")
    outside.discard("b2")
    assert outside.gives_way() == "a1"
    outside.add("a1", "a")
    assert outside.gives_way() == "a2"


def test_who_goes_leaves_nothing_behind() -> None:
    outside = Outside()
    outside.add("one", "a")
    outside.discard("one")
    outside.discard("one")
    assert (len(outside), "one" in outside, outside._waiting) == (0, False, {})


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=40))
def test_whoever_has_fewest_never_gives_way_to_whoever_has_more(arrivals: list[tuple[int, int]]) -> None:
    outside, addresses = Outside(), {}
    for sid, address in arrivals:
        outside.add(str(sid), str(address))
        addresses[str(sid)] = str(address)
        numbers = [list(addresses.values()).count(each) for each in set(addresses.values())]
        assert list(addresses.values()).count(addresses[outside.gives_way()]) == max(numbers)
