"""Fixtures of what one process records."""

from __future__ import annotations

import pytest

from tests.bridge.admin.desk import Desk
from tests.bridge.records.book import Book


@pytest.fixture
async def book(desk: Desk) -> Book:
    return Book(desk)
