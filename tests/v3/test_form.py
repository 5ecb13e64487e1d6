import math
from typing import Any

import pytest

from tests.compat.strategies import nested
from v3.form import depth, is_finite


@pytest.mark.parametrize(
    ("value", "levels"),
    [(1, 0), ("[[", 0), ([], 1), ({}, 1), ([{}], 2), ({"a": [1, {"b": []}], "c": 1}, 4)],
    ids=repr,
)
def test_depth_counts_containers(value: Any, levels: int) -> None:
    assert depth(value) == levels


def test_any_depth_can_be_counted() -> None:
    assert depth(nested(3000, 0, ("a", "b"))) == 3000


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(value: float) -> None:
    assert not is_finite(value)
    assert not is_finite({"a": [1, {"b": [value]}]})
    assert is_finite({"a": [1, {"b": [1e308, "Infinity", None]}]})
