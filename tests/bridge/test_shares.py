"""Who may take one of the last places."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.shares import Owner, Shares

SEVERAL = {"tenant": True, "key": True}
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


def test_each_of_tenant_key_and_address_counts() -> None:
    shares = Shares(100, SEVERAL)
    assert filled(shares, ROWDY) == 80
    assert not shares.has_room_for(CALM._replace(tenant="rowdy"))
    assert not shares.has_room_for(CALM._replace(key="rowdy"))
    shares.take(CALM)
    assert not shares.has_room_for(CALM._replace(address=ROWDY.address))


def test_an_address_that_is_alone_is_not_bounded_since_it_may_be_a_proxy() -> None:
    shares = Shares(10, {})
    assert filled(shares, ROWDY) == 10


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
