"""Where a tenant stands, as one value."""

import pytest

from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Stage, Tenant

BRIDGE, HALF, V3 = Standing("bridge", 0, "global"), Standing("drain", 50, "global"), Standing("v3", 50, "group")


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
    assert V3.as_json() == {"stage": "v3", "share": 50, "v2_routing": "group"}
