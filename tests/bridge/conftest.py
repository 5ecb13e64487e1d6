"""Fixtures of what is recorded and ordered of tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bridge.desk import Desk, at_a_desk


@pytest.fixture
async def desk(redis_url: str, prefix: str) -> AsyncIterator[Desk]:
    """A desk on the session's Redis, under the test's prefix."""
    async with at_a_desk(redis_url, prefix) as one:
        yield one
