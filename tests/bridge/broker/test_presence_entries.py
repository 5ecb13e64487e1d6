"""What a process holds of presence, in memory: by place, by group, and in the order in which it ends."""

from __future__ import annotations

import pytest

from bridge.broker.presence_entries import Entries, Entry, Place, holder_in


def entry(client: str = "ann", group: str = "team") -> Entry:
    return Entry(Place("acme", group, client, "v3"), 1)


def held(*entries: Entry) -> Entries:
    everything = Entries()
    for one in entries:
        everything.add(one)
    return everything


def test_the_first_and_the_last_of_a_group_are_told_apart() -> None:
    ann, ben, apart, entries = entry("ann"), entry("ben"), entry("cat", "apart"), Entries()
    assert [entries.add(one) for one in (ann, ben, apart)] == [True, False, True]
    assert entries.groups == [("acme", "team"), ("acme", "apart")]
    assert [entries.discard(one) for one in (ann, ben, apart)] == [False, True, True]
    assert entries.groups == []
    assert len(entries) == 0


def test_an_entry_is_held_until_another_takes_its_place() -> None:
    first, second = entry(), entry()
    entries = held(first)
    assert first in entries
    entries.add(second)
    assert first not in entries
    assert entries.get(first.place) is second


def test_whatever_was_refreshed_last_ends_last() -> None:
    ann, ben = entry("ann"), entry("ben")
    entries = held(ann, ben)
    entries.refresh(ann, 0.0, 60)
    entries.refresh(ben, 1.0, 60)
    entries.refresh(ann, 2.0, 60)
    assert entries.first_over(60.9) is None
    assert entries.first_over(61.0) is ben
    entries.discard(ben)
    assert entries.first_over(61.9) is None
    assert entries.first_over(62.0) is ann


def test_what_is_to_end_now_is_found_first() -> None:
    ann, ben = entry("ann"), entry("ben")
    entries = held(ann, ben)
    for one in (ann, ben):
        entries.refresh(one, 0.0, 60)
    entries.end_now(ben)
    assert entries.first_over(0.0) is ben


def test_each_group_is_looked_at_in_turn_without_those_whose_time_is_over() -> None:
    people = [entry(name, group) for name, group in (("ann", "a"), ("ben", "b"), ("cat", "c"), ("dan", "c"))]
    entries = held(*people)
    people[-1].is_over = True
    seen = [entries.next_groups(2) for _ in range(3)]
    assert [[group for _, group in each] for each in seen] == [["a", "b"], ["c", "a"], ["b", "c"]]
    assert seen[1]["acme", "c"] == [people[2]]


@pytest.mark.parametrize(
    ("holder", "known"),
    [
        (b"ann:0a1b2c:v3:17", ("ann", "v3", 17)),
        (b"v2-a_20b:0a1b2c:v2:1", ("v2-a_20b", "v2", 1)),
        (b"ann:0a1b2c:socketio:0", ("ann", "socketio", 0)),
        (b"ann:0a1b2c:v4:17", None),
        (b"ann:0a1b2c:v3:", None),
        (b"ann:0a1b2c:v3:1e3", None),
        (b"ann:0a1b2c:v3:" + b"9" * 19, None),
        (b"a b:0a1b2c:v3:17", None),
        (b"ann:v3:17", None),
        (b"\xff:0a1b2c:v3:17", None),
        (b"", None),
    ],
)
def test_a_holder_in_redis_is_read_or_is_not_ours(holder: bytes, known: tuple[str, str, int] | None) -> None:
    assert holder_in(holder) == known
