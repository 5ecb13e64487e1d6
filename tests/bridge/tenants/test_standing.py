"""Where a tenant stands, as one value."""

import pytest

from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Stage, Tenant


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
