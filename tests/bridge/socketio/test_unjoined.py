"""Which of the sessions in no namespace gives way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio.unjoined import Unjoined


def test_the_longest_waiting_of_the_address_that_has_most_gives_way() -> None:
    unjoined = Unjoined()
    for sid, address in (("a1", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b"), ("a2", "a")):
        unjoined.add(sid, address)
    assert unjoined.gives_way() == "b1"
    unjoined.discard("b1")
    unjoined.discard("b2")
    assert unjoined.gives_way() == "a1"
    unjoined.add("a1", "a")
    assert unjoined.gives_way() == "a2"


def test_who_goes_leaves_nothing_behind() -> None:
    unjoined = Unjoined()
    unjoined.add("one", "a")
    unjoined.discard("one")
    unjoined.discard("one")
    assert (len(unjoined), "one" in unjoined, unjoined._sids) == (0, False, {})


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=40))
def test_whoever_has_fewest_never_gives_way_to_whoever_has_more(arrivals: list[tuple[int, int]]) -> None:
    unjoined, addresses = Unjoined(), {}
    for sid, address in arrivals:
        unjoined.add(str(sid), str(address))
        addresses[str(sid)] = str(address)
        numbers = [list(addresses.values()).count(each) for each in set(addresses.values())]
        assert list(addresses.values()).count(addresses[unjoined.gives_way()]) == max(numbers)
