"""What the process counts, and what of it is new."""

from __future__ import annotations

from collections import Counter

from bridge.records.counters import Counts, Refusals, more_since


def test_a_refusal_is_counted_by_tenant_protocol_and_code() -> None:
    counts = Counts()
    of_v3 = Refusals(counts, "v3")
    for tenant, code in (("acme", "not_allowed"), ("acme", "not_allowed"), ("", "unauthenticated")):
        of_v3.refused(tenant, code)
    assert counts.refusals == {("acme", "v3", "not_allowed"): 2, ("", "v3", "unauthenticated"): 1}


def test_what_was_counted_since_is_told_once() -> None:
    now, before = Counter({"a": 3, "b": 1}), Counter[str]()
    assert more_since(now, before) == [("a", 3), ("b", 1)]
    now["a"] += 2
    now["c"] += 1
    assert more_since(now, before) == [("a", 2), ("c", 1)]
    assert more_since(now, before) == []
