"""What Redis refuses is told from what breaks on the way."""

from __future__ import annotations

import hiredis
import pytest
from redis.exceptions import AuthenticationError, BusyLoadingError, MovedError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from bridge.broker.cluster import SENTENCE
from bridge.broker.refusal import LinkError, refusal_in


@pytest.mark.parametrize("kind", [hiredis.ReplyError, ReadOnlyError, AuthenticationError, BusyLoadingError])
def test_an_error_that_redis_says_is_a_refusal_in_its_words(kind: type[Exception]) -> None:
    assert refusal_in(kind("READONLY no")) == "READONLY no"


@pytest.mark.parametrize("error", [hiredis.ReplyError("MOVED 3999 127.0.0.1:6381"), MovedError("3999 127.0.0.1:6381")])
def test_a_refusal_of_a_cluster_says_that_it_is_one(error: Exception) -> None:
    assert SENTENCE in str(refusal_in(error))


@pytest.mark.parametrize("reply", [None, 0, b"OK", [b"pong", b""], OSError("reset"), RedisTimeoutError("late")])
def test_everything_else_is_none(reply: object) -> None:
    assert refusal_in(reply) is None


def test_a_link_error_says_why_and_what_redis_said() -> None:
    error = LinkError("BusyLoadingError: loading", "loading")
    assert (str(error), error.refusal, LinkError("reset").refusal) == ("BusyLoadingError: loading", "loading", None)
