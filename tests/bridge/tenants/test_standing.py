"""Where a tenant stands, as one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.tenants.standing import Standing
from bridge.tenants.tenant import ROUTINGS, STAGES, Stage, Tenant

BRIDGE, HALF, V3 = Standing("bridge", 0, "global"), Standing("drain", 50, "global"), Standing("v3", 0, "group")


def standing(place: tuple[Stage, int]) -> Standing:
    return Standing(*place, "global")


def test_a_tenant_with_its_own_standing_is_the_same() -> None:
    tenant = Tenant("acme", stage="drain", share=30, v2_routing="group")
    assert Standing.of(tenant) == Standing("drain", 30, "group")
    assert Standing.of(tenant).of_tenant(tenant) == tenant


def test_a_tenant_takes_the_standing_and_keeps_what_is_its_own() -> None:
    assert Standing("v3", 0, "global").of_tenant(Tenant("acme", hosts=("a.example",))) == Tenant(
        "acme", stage="v3", hosts=("a.example",)
    )


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        (("legacy", 0), ("bridge", 0)),
        (("bridge", 90), ("drain", 0)),
        (("drain", 10), ("drain", 11)),
        (("drain", 100), ("v3", 0)),
    ],
)
def test_a_place_is_farther_on_the_way_to_v3(nearer: tuple[Stage, int], farther: tuple[Stage, int]) -> None:
    assert standing(nearer).place < standing(farther).place


def test_the_share_counts_in_drain_alone() -> None:
    assert Standing("bridge", 10, "global").place == Standing("bridge", 20, "global").place


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing("drain", 25, "global"), "drain 25 %"),
        (Standing("drain", 12.25, "global"), "drain 12.25 %"),
        (Standing("bridge", 25, "global"), "bridge"),
        (Standing("v3", 0, "group"), "v3, V2 by group"),
    ],
)
def test_it_is_said_in_a_few_words(standing: Standing, words: str) -> None:
    assert str(standing) == words


def test_a_standing_says_itself() -> None:
    assert [str(standing) for standing in (BRIDGE, HALF, V3)] == ["bridge", "drain 50 %", "v3, V2 by group"]


def test_a_standing_is_further_the_nearer_v3_is_whatever_the_routing() -> None:
    way = [
        Standing("legacy", 90, "global"),
        Standing("bridge", 70, "group"),
        Standing("drain", 0, "global"),
        Standing("drain", 1, "group"),
        Standing("drain", 100, "global"),
        Standing("v3", 0, "global"),
    ]
    places = [standing.place for standing in way]
    assert places == sorted(set(places))
    assert Standing("bridge", 0, "global").place == Standing("bridge", 99, "group").place
    assert Standing("v3", 5, "global").place == Standing("v3", 50, "group").place


def test_a_standing_is_that_of_a_tenant_and_a_tenant_can_be_put_there() -> None:
    tenant = Tenant("acme", stage="legacy", share=3, hosts=("acme.example.test",), version=7)
    assert Standing.of(tenant) == Standing("legacy", 3, "global")
    moved = V3.of_tenant(tenant)
    assert Standing.of(moved) == V3
    assert (moved.name, moved.hosts, moved.version) == ("acme", ("acme.example.test",), 7)
    assert V3.as_json() == {"stage": "v3", "share": 0, "v2_routing": "group"}


def test_the_share_of_an_earlier_drain_is_forgotten() -> None:
    assert Standing.settled("bridge", 50, "group") == Standing("bridge", 0, "group")
    assert Standing.settled("drain", 50, "group") == Standing("drain", 50, "group")


# Which of two is nearer to V3, and the way back.

LEGACY, BY_GROUP, QUARTER = (
    Standing("legacy", 0, "global"),
    Standing("bridge", 0, "group"),
    Standing("drain", 25, "global"),
)

standings = st.builds(
    Standing.settled,
    st.sampled_from(STAGES),
    st.integers(0, 10_000).map(lambda one: one / 100),
    st.sampled_from(ROUTINGS),
)


@pytest.mark.parametrize(
    ("one", "other", "is_ahead"),
    [
        (BRIDGE, LEGACY, True),
        (QUARTER, BRIDGE, True),
        (HALF, QUARTER, True),
        (Standing("drain", 25.01, "global"), QUARTER, True),
        (V3, HALF, True),
        (BY_GROUP, BRIDGE, True),
        (BY_GROUP, HALF, True),
        (BRIDGE, BRIDGE, False),
        (BRIDGE, BY_GROUP, False),
        (LEGACY, BRIDGE, False),
        (QUARTER, HALF, False),
    ],
    ids=str,
)
def test_a_standing_is_ahead_by_its_place_or_by_its_routing(
    one: Standing,
    other: Standing,
    is_ahead: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert one.is_ahead_of(other) == is_ahead


@pytest.mark.parametrize(
    ("here", "earlier", "back"),
    [
        (V3, [V3, Standing("drain", 100, "group"), HALF], Standing("drain", 100, "group")),
        (HALF, [HALF, V3, V3, HALF, HALF, QUARTER, QUARTER, BRIDGE], QUARTER),
        (BRIDGE, [BRIDGE, Standing("drain", 100, "global"), BRIDGE], None),
        (BRIDGE, [BRIDGE, V3, V3, BRIDGE, BRIDGE, LEGACY], LEGACY),
        (BY_GROUP, [BY_GROUP, BRIDGE, BRIDGE, LEGACY], BRIDGE),
        (BY_GROUP, [], None),
        (HALF, [], BRIDGE),
        (HALF, [HALF, V3], BRIDGE),
        (Standing("drain", 50, "group"), [], BY_GROUP),
        (HALF, [HALF, Standing("drain", 50, "group"), BY_GROUP], BRIDGE),
        (LEGACY, [LEGACY, BRIDGE, V3], None),
    ],
)
def test_a_rollback_goes_to_the_newest_standing_that_is_further_back_else_to_bridge(
    here: Standing, earlier: list[Standing], back: Standing | None
) -> None:
    assert here.back_to(earlier) == back


@given(standings, st.lists(standings, max_size=8))
def test_a_rollback_never_goes_forward_and_never_stays(here: Standing, earlier: list[Standing]) -> None:
    back = here.back_to(earlier)
    assert back is None or (here.is_ahead_of(back) and not back.is_ahead_of(here))


@given(standings, st.lists(standings, max_size=8))
def test_rollbacks_end_at_bridge_or_at_legacy(here: Standing, earlier: list[Standing]) -> None:
    steps = 0
    while (back := here.back_to(earlier)) is not None:
        here, steps = back, steps + 1
    assert here.stage in ("bridge", "legacy")
    assert steps <= len(earlier) + 1
