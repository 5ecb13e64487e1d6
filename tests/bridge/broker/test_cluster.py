"""A Redis Cluster behind a plain address."""

import pytest
from redis.exceptions import AskError, ClusterDownError, MovedError
from structlog.testing import capture_logs

from bridge.broker.bus import Bus
from bridge.broker.cluster import SENTENCE, explained, is_cluster, is_of_cluster
from bridge.broker.link import pool
from tests.bridge.broker.parts import running, until
from tests.bridge.cli.running import run, sentence
from tests.conftest import StartRedis

CLUSTER = ("--cluster-enabled", "yes")


@pytest.mark.parametrize(
    "error",
    [
        "MOVED 3999 127.0.0.1:6381",
        "CLUSTERDOWN Hash slot not served",
        "CROSSSLOT Keys in request",
        "Hash slot not served",
        MovedError("3999 127.0.0.1:6381"),
        AskError("3999 127.0.0.1:6381"),
        ClusterDownError("Hash slot not served"),
    ],
)
def test_what_only_a_cluster_answers_is_known(error: object) -> None:
    assert is_of_cluster(error)
    assert explained(error) == f"{SENTENCE} ({error})"


@pytest.mark.parametrize("error", ["READONLY You can't write", "NOPERM this user", "MOVEDX", ""])
def test_another_error_is_said_as_it_is(error: str) -> None:
    assert explained(error) == error


def test_a_server_is_asked_what_it_is(redis_server: StartRedis) -> None:
    assert is_cluster(redis_server(*CLUSTER).url)
    assert not is_cluster(redis_server().url)
    assert not is_cluster("redis://127.0.0.1:1/0")


async def test_a_bridge_that_meets_one_later_says_so_too(redis_server: StartRedis) -> None:
    bus = Bus(pool(redis_server(*CLUSTER).url, "test-bus"), b"nobody")
    with capture_logs() as logged:
        async with running(bus):
            await until(lambda: bus.refusal is not None)
            assert SENTENCE in str(bus.refusal)
    assert SENTENCE in logged[0]["reason"]


@pytest.mark.usefixtures("loggers_as_they_were")
def test_every_command_says_that_it_is_a_cluster_and_what_to_do(redis_server: StartRedis) -> None:
    url = redis_server(*CLUSTER).url
    assert SENTENCE in sentence(run("serve", "--port", "0", "--redis", url))
    assert SENTENCE in sentence(run("keys", "list", "--redis", url))
    said = run("doctor", "--redis", url)
    assert said.exit_code == 1
    assert SENTENCE in said.stdout
    assert "permissions" not in said.stdout
