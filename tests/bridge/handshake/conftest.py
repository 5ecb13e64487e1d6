"""An application on the test's own loop, with a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.config.settings import Settings
from bridge.runtime.app import Application
from bridge.runtime.process import Process


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[Application]:
    app = Application(Settings(prefix=prefix, presence_events_members=0), redis_url)
    async with app.router.lifespan_context(app):
        yield app


def process_of(app: Application) -> Process:
    """What runs in the application."""
    assert app.process is not None
    return app.process
