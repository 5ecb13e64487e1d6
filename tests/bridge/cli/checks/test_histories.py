"""What is kept for those who come back: how much there is, what bounds it, and whether Redis keeps it."""

from __future__ import annotations

from pathlib import Path

from bridge.cli.checks import histories
from bridge.cli.checks.finding import Finding
from bridge.config.settings import load
from tests.conftest import StartRedis
from tests.servers import RedisServer


def finding(redis: RedisServer, **given: object) -> Finding:
    (one,) = histories.look(redis.url, load(None, redis_url=redis.url, **given))
    return one


def test_histories_are_counted_and_their_bound_is_named(redis_server: StartRedis) -> None:
    redis = redis_server()
    for number in range(3):
        redis.execute("XADD", f"aether:{{acme:g:{number}}}:history", "*", "m", "x")
    found = finding(redis, history_bytes=2_097_152)
    assert found.level == "ok"
    assert found.said.startswith("3 channels have one now; 1 processes may keep 2 MiB in Redis")


def test_a_bound_that_fills_redis_is_named(redis_server: StartRedis) -> None:
    redis = redis_server()
    redis.execute("CONFIG", "SET", "maxmemory", "100mb")
    assert finding(redis).level == "warn"
    assert finding(redis, history_bytes=2_097_152).level == "ok"


def test_a_redis_that_throws_histories_away_is_to_be_mended(redis_server: StartRedis) -> None:
    redis = redis_server()
    redis.execute("CONFIG", "SET", "maxmemory", "100mb")
    redis.execute("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    assert finding(redis).level == "fail"


def test_without_a_history_that_is_said(redis_server: StartRedis) -> None:
    assert "who comes back must fetch anew" in finding(redis_server(), history_seconds=0).said


def test_a_redis_that_is_not_there_is_found_elsewhere(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    assert list(histories.look(url, load(None, redis_url=url))) == []
