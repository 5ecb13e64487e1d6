"""How many a second each tenant gets, and all of them together."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.budget import shared_rate
from bridge.budget.rate import Rate
from bridge.budget.shared_rate import NO_LIMIT, SharedRate, TenantRate

LATER = 1_000.0


def rates(process: Rate = NO_LIMIT, each: Rate = NO_LIMIT, **own: Rate) -> SharedRate:
    shared = SharedRate()
    shared.allow(process, lambda tenant: own.get(tenant, each))
    return shared


def got(one: TenantRate, times: int, now_seconds: float) -> int:
    return sum(one.spend(now_seconds) for _ in range(times))


def test_at_first_and_without_rates_there_is_no_limit() -> None:
    for shared in (SharedRate(), rates()):
        assert got(shared.of("acme"), 10_000, LATER) == 10_000
        assert not shared.refused


def test_a_tenant_has_its_own_rate_and_takes_nothing_of_anothers() -> None:
    shared = rates(each=Rate(10, 30), small=Rate(1, 2), free=NO_LIMIT)
    assert [got(shared.of(name), 100, LATER) for name in ("rowdy", "calm", "small", "free")] == [30, 30, 2, 100]
    assert [got(shared.of(name), 100, LATER + 1) for name in ("rowdy", "calm", "small", "free")] == [10, 10, 1, 100]
    assert shared.refused == {("rowdy", "tenant"): 160, ("calm", "tenant"): 160, ("small", "tenant"): 197}


def test_who_is_alone_has_the_whole_rate_of_the_process() -> None:
    one = rates(Rate(100, 100)).of("alone")
    assert got(one, 1_000, LATER) >= 100
    assert [got(one, 1_000, LATER + second) for second in (1, 2, 3)] == [100, 100, 100]


def test_whoever_asks_for_little_gets_all_of_it_whatever_the_others_ask_for() -> None:
    shared = rates(Rate(100, 100))
    rowdy, calm = shared.of("rowdy"), shared.of("calm")
    for tenth in range(200):
        got(rowdy, 50, LATER + tenth / 10)
        assert got(calm, 2, LATER + tenth / 10) == 2
    assert shared.refused.keys() == {("rowdy", "process")}


def test_several_who_want_all_of_it_have_equal_shares() -> None:
    shared = rates(Rate(300, 300))
    ones = [shared.of(name) for name in "abc"]
    had = [0, 0, 0]
    for hundredth in range(2_000):
        for number, one in enumerate(ones):
            had[number] += got(one, 20, LATER + hundredth / 100)
    assert max(had) - min(had) <= 0.2 * max(had)
    assert sum(had) <= 300 * (20 + 3)


def test_what_a_share_took_is_missing_to_those_who_take_more_than_theirs() -> None:
    shared = rates(Rate(100, 100))
    rowdy, calm = shared.of("rowdy"), shared.of("calm")
    got(rowdy, 1_000, LATER)
    before = got(rowdy, 1_000, LATER + 10)
    assert got(calm, 50, LATER + 10) == 50
    assert before + 50 + got(rowdy, 1_000, LATER + 11) + got(calm, 50, LATER + 11) <= 100 * 4


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60), st.floats(0, 0.5)), min_size=1, max_size=80),
)
def test_nobody_is_refused_within_its_share_and_all_together_have_a_bound(
    most: int, asked: list[tuple[str, int, float]]
) -> None:
    """The share of one in six: nobody else ever asks."""
    shared, now, passed = rates(Rate(most, most)), LATER, 0
    in_second: dict[tuple[str, int], int] = {}
    for tenant, times, pause in asked:
        now += pause
        for _ in range(times):
            has_it = shared.of(tenant).spend(now)
            had = in_second.get((tenant, int(now)), 0)
            assert has_it or had + 1 > most / 6
            in_second[tenant, int(now)] = had + has_it
            passed += has_it
    seconds = int(now) - int(LATER) + 1
    assert passed <= 2 * most + seconds * sum(most / number + 1 for number in range(1, 7)) + 1


def test_another_rate_counts_at_once_and_the_same_one_gives_no_new_burst() -> None:
    shared = rates(each=Rate(1, 5))
    one = shared.of("acme")
    assert got(one, 10, LATER) == 5
    shared.allow(NO_LIMIT, lambda _tenant: Rate(1, 5))
    assert got(one, 10, LATER) == 0
    shared.allow(NO_LIMIT, lambda _tenant: Rate(1, 7))
    assert got(one, 10, LATER) == 7
    shared.allow(NO_LIMIT, lambda _tenant: NO_LIMIT)
    assert got(one, 10, LATER) == 10


def test_another_rate_of_the_process_counts_at_once() -> None:
    shared = rates()
    one = shared.of("acme")
    assert got(one, 100, LATER) == 100
    shared.allow(Rate(10, 10), lambda _tenant: NO_LIMIT)
    assert got(one, 100, LATER) <= 30
    shared.allow(NO_LIMIT, lambda _tenant: NO_LIMIT)
    assert got(one, 100, LATER) == 100


def test_a_tenant_keeps_its_rate_and_of_too_many_the_first_is_forgotten() -> None:
    shared = rates(each=Rate(1, 1))
    first = shared.of("t0")
    assert shared.of("t0") is first
    for number in range(shared_rate.MOST_TENANTS + 1):
        shared.of(f"t{number}")
    assert shared.of("t0") is not first
    assert len(shared._tenants) == shared_rate.MOST_TENANTS
