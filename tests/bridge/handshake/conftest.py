"""An application on the test's own loop, with a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from bridge.config.settings import Settings
from bridge.runtime.app import create_app


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[FastAPI]:
    app = create_app(Settings(prefix=prefix, presence_events_members=0), redis_url)
    async with app.router.lifespan_context(app):
        yield app
