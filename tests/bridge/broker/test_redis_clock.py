"""What expires in Redis goes by Redis' clock, however wrong that of the process is."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis

from bridge.broker import redis_clock as module
from bridge.broker.bus import Bus
from bridge.broker.link import pool
from bridge.broker.redis_clock import RedisClock, seconds_ahead
from tests.bridge.broker.parts import ANSWER_SECONDS, running, until

DAYS = 86_400.0
REAL = time.time


def shifted(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The process's clock is set to another time."""
    monkeypatch.setattr(time, "time", lambda: REAL() + seconds)
    monkeypatch.setattr(time, "time_ns", lambda: round((REAL() + seconds) * 1e9))


@pytest.mark.parametrize("seconds", [36 * DAYS, -36 * DAYS, 5.0, -5.0])
async def test_a_clock_that_is_wrong_is_corrected(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    shifted(monkeypatch, seconds)
    bus = Bus(pool(redis_url, "test-clock"), b"nobody")
    clock = RedisClock(bus)
    async with running(bus):
        assert await bus.wait_until_up(ANSWER_SECONDS)
        await bus.wait_until_answered()
        assert abs(clock.seconds() - REAL()) < 2
        assert abs(clock.microseconds() / 1e6 - REAL()) < 2


async def test_a_clock_that_is_about_right_is_left_alone(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shifted(monkeypatch, 0.5)
    bus = Bus(pool(redis_url, "test-clock"), b"nobody")
    clock = RedisClock(bus)
    async with running(bus):
        assert await bus.wait_until_up(ANSWER_SECONDS)
        await bus.wait_until_answered()
        assert clock.seconds() - REAL() == pytest.approx(0.5, abs=0.1)


async def test_a_clock_that_is_set_while_the_process_runs_is_noticed(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.0)
    bus = Bus(pool(redis_url, "test-clock"), b"nobody")
    clock = RedisClock(bus)
    async with running(bus):
        assert await bus.wait_until_up(ANSWER_SECONDS)
        for seconds in (3_600.0, 0.0, -3_600.0):
            shifted(monkeypatch, seconds)
            await until(lambda: abs(clock.seconds() - REAL()) < 2)


@pytest.mark.parametrize("seconds", [36 * DAYS, -300.0, 0.0])
async def test_who_asks_once_is_told_the_difference(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.ping()
        shifted(monkeypatch, seconds)
        assert await seconds_ahead(redis) == pytest.approx(-seconds, abs=ANSWER_SECONDS)
