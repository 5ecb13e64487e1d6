"""An endpoint for each test, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bridge.socketio.parts import Home
from tests.bridge.socketio.visits import Visit


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    one = Visit(Home())
    async with one.http:
        yield one
