"""A client of the session's Redis and the test's names in it, a desk of an operator, and loggers put back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from tests.bridge.admin.desk import Desk, at_a_desk


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the session's Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def addresses(prefix: str) -> Addresses:
    """What everything in Redis is called under the test's prefix."""
    return Addresses(prefix)


@pytest.fixture
async def desk(redis_url: str, prefix: str) -> AsyncIterator[Desk]:
    """A desk on the session's Redis, under the test's prefix."""
    async with at_a_desk(redis_url, prefix) as one:
        yield one


@pytest.fixture
def loggers_as_they_were() -> Iterator[None]:
    """For tests that set up the log of a bridge in this process: what comes after must not log as bridges do."""
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
    structlog.reset_defaults()
