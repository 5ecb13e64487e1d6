"""Who may take one of the last places."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.shares import Kind, Owner, Shares

SEVERAL: Mapping[Kind, bool] = {"tenant": True, "key": True}
ROWDY, CALM = Owner("rowdy", "rowdy", "192.0.2.1"), Owner("calm", "calm", "192.0.2.2")


def filled(shares: Shares, owner: Owner) -> int:
    """As many as this owner is let have."""
    number = 0
    while shares.has_room_for(owner):
        shares.take(owner)
        number += 1
    return number


def test_one_tenant_leaves_a_fifth_to_the_others() -> None:
    shares = Shares(100, SEVERAL)
    assert filled(shares, ROWDY) == 80
    assert filled(shares, CALM) == 20
    assert shares.is_full


def test_who_is_alone_may_have_everything() -> None:
    assert filled(Shares(100, {"tenant": False, "key": False}), ROWDY) == 100


def test_keys_count_where_there_is_but_one_tenant() -> None:
    shares = Shares(100, {"key": True})
    assert filled(shares, ROWDY) == 80
    assert filled(shares, ROWDY._replace(key="another")) == 20


def test_another_key_of_the_tenant_gets_in_but_not_into_the_last_tenth() -> None:
    shares = Shares(100, SEVERAL)
    assert filled(shares, ROWDY) == 80
    assert filled(shares, ROWDY._replace(key="another")) == 10
    assert filled(shares, CALM) == 10


def test_coming_from_many_addresses_takes_nobodys_share() -> None:
    shares = Shares(100, SEVERAL)
    shares.take(CALM)
    shares.take(CALM)
    for number in range(100):
        crowd = ROWDY._replace(address=f"198.51.100.{number}")
        if shares.has_room_for(crowd):
            shares.take(crowd)
    assert shares.taken == 80
    assert shares.has_room_for(CALM)


def test_where_nothing_else_tells_them_apart_addresses_count() -> None:
    shares = Shares(100, {})
    assert filled(shares, ROWDY._replace(address="192.0.2.1")) == 100
    shares = Shares(100, {})
    shares.take(CALM)
    assert filled(shares, ROWDY) == 79
    assert filled(shares, CALM) == 20


def test_a_tenant_has_no_more_than_its_own_bound_however_much_is_free() -> None:
    shares = Shares(100, SEVERAL)
    shares.bound_tenants(3, {"calm": 5, "free": 0})
    bounds = {"rowdy": 3, "calm": 5, "free": 100}
    assert {tenant: shares.most_of(tenant) for tenant in bounds} == bounds
    for owner, most in ((ROWDY, 3), (CALM, 5)):
        for _ in range(most):
            assert not shares.holds_its_most(owner.tenant)
            shares.take(owner)
        assert shares.holds_its_most(owner.tenant)
        shares.give_back(owner)
        assert not shares.holds_its_most(owner.tenant)
    assert filled(shares, Owner("free", "free", "192.0.2.3")) > 5
    assert not shares.holds_its_most("free")


def test_a_bound_beyond_all_places_is_all_of_them() -> None:
    shares = Shares(10, SEVERAL)
    shares.bound_tenants(0, {"rowdy": 50})
    assert (shares.most_of("rowdy"), shares.most_of("calm")) == (10, 10)


def test_what_was_given_back_can_be_taken_again() -> None:
    shares = Shares(10, SEVERAL)
    assert filled(shares, ROWDY) == 8
    shares.give_back(ROWDY)
    assert filled(shares, ROWDY) == 1


@given(
    st.integers(1, 60), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("kl"), st.booleans()), max_size=200)
)
def test_there_are_never_more_than_all_and_a_newcomer_finds_a_place(
    most: int, steps: list[tuple[str, str, bool]]
) -> None:
    shares, held = Shares(most, SEVERAL), list[Owner]()
    for tenant, key, comes in steps:
        owner = Owner(tenant, tenant + key, "192.0.2.1")
        if comes and shares.has_room_for(owner):
            shares.take(owner)
            held.append(owner)
        elif not comes and held:
            shares.give_back(held.pop())
        assert shares.taken == len(held) <= most
    if most >= 30 and {owner.tenant for owner in held} == {"a"}:
        assert shares.has_room_for(Owner("new", "new", "192.0.2.9"))


def test_other_bounds_take_no_place_from_whoever_holds_one() -> None:
    shares = Shares(100, {})
    assert filled(shares, ROWDY) > 50
    taken = shares.taken
    shares.bound(10, SEVERAL)
    assert (shares.taken, shares.is_full, shares.has_room_for(CALM)) == (taken, True, False)
    shares.bound(1_000, SEVERAL)
    assert shares.has_room_for(CALM)
