"""What a refusal of the admin API looks like, as it is described."""

from __future__ import annotations

import pytest

from bridge.admin.refusals import REFUSED, RefusedOrder
from bridge.api.errors import redis_away


@pytest.mark.parametrize("status", REFUSED)
def test_each_status_names_its_codes(status: int) -> None:
    assert REFUSED[status]["model"] is RefusedOrder
    assert REFUSED[status]["description"].startswith("`")


def test_what_is_answered_while_redis_is_away_is_as_described() -> None:
    away = redis_away()
    assert RefusedOrder(**away.body).code in REFUSED[away.status]["description"]
