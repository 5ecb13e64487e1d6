"""The numbers of one process."""

from bridge.records.counters import Counts, Refusals


def test_a_process_begins_with_nothing_counted() -> None:
    assert all(not number for number in vars(Counts()).values())


def test_refusals_are_tallied_by_tenant_protocol_and_code() -> None:
    counts = Counts()
    v2, v3 = Refusals(counts, "v2"), Refusals(counts, "v3")
    for tally, tenant, code in ((v2, "acme", "v2_retired"), (v3, "acme", "bus_down"), (v3, "acme", "bus_down")):
        tally.refused(tenant, code)
    v3.refused("", "unauthenticated")
    assert counts.refusals == {
        ("acme", "v2", "v2_retired"): 1,
        ("acme", "v3", "bus_down"): 2,
        ("", "v3", "unauthenticated"): 1,
    }


def test_counts_of_two_processes_have_nothing_in_common() -> None:
    one, other = Counts(), Counts()
    Refusals(one, "v3").refused("acme", "bus_down")
    assert not other.refusals
