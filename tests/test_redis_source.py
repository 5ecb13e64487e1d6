"""Which Redis the suite takes."""

import pytest

from tests import redis_source
from tests.redis_source import RedisUnavailable, choose_redis

SERVER = {"BRIDGE_TEST_REDIS_URL": "redis://name:secret@redis.test:6380/0"}


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_source, "docker_client", lambda: None)


def test_a_named_server_comes_first() -> None:
    with choose_redis(SERVER).running() as url:
        assert url == SERVER["BRIDGE_TEST_REDIS_URL"]


def test_the_header_names_the_server_without_its_credentials() -> None:
    assert choose_redis(SERVER).description == "the server at redis.test:6380"


def test_without_a_server_and_without_docker_it_is_the_embedded_one(no_docker: None) -> None:
    assert choose_redis({}).description == "embedded Valkey on loopback"


def test_asked_for_a_container_it_takes_nothing_else(no_docker: None) -> None:
    with pytest.raises(RedisUnavailable, match="container: no Docker daemon answers"):
        choose_redis({"BRIDGE_TEST_REDIS": "container", **SERVER})


def test_a_source_that_is_none_is_an_error() -> None:
    with pytest.raises(RedisUnavailable, match="one of url, container, embedded"):
        choose_redis({"BRIDGE_TEST_REDIS": "memory"})
