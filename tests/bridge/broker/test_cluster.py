"""A Redis Cluster behind a plain address."""

import pytest
from redis.exceptions import AskError, ClusterCrossSlotError, ClusterDownError, MovedError, TryAgainError
from structlog.testing import capture_logs

from bridge.broker.bus import Bus
from bridge.broker.cluster import SENTENCE, explained, is_cluster, is_of_cluster
from bridge.broker.link import pool
from tests.bridge.broker.parts import running, until
from tests.bridge.cli.running import run, sentence
from tests.conftest import StartRedis
from tests.ports import free_port


def cluster() -> tuple[str, ...]:
    """The options of a cluster's node; its own second port would be one that the system gives to anybody."""
    return "--cluster-enabled", "yes", "--cluster-port", str(free_port())


@pytest.mark.parametrize(
    "error",
    [
        "MOVED 3999 127.0.0.1:6381",
        "CLUSTERDOWN Hash slot not served",
        "CROSSSLOT Keys in request",
        "Hash slot not served",
        "SELECT is not allowed in cluster mode",
    ],
)
def test_what_only_a_cluster_answers_is_known(error: str) -> None:
    assert is_of_cluster(error)
    assert explained(error) == f"{SENTENCE} ({error})"


@pytest.mark.parametrize("kind", [MovedError, AskError, TryAgainError, ClusterDownError, ClusterCrossSlotError])
def test_so_it_is_where_redis_py_has_cut_off_the_first_word(kind: type[Exception]) -> None:
    assert is_of_cluster(kind("3999 127.0.0.1:6381"))


@pytest.mark.parametrize("error", ["READONLY You can't write", "NOPERM this user", "MOVEDX", ""])
def test_another_error_is_said_as_it_is(error: str) -> None:
    assert explained(error) == error


def test_a_server_is_asked_what_it_is(redis_server: StartRedis) -> None:
    url = redis_server(*cluster()).url
    assert is_cluster(url)
    assert is_cluster(url.replace("/0", "/2"))
    assert not is_cluster(redis_server().url)
    assert not is_cluster("redis://127.0.0.1:1/0")


async def test_a_bridge_that_meets_one_later_says_so_too(redis_server: StartRedis) -> None:
    bus = Bus(pool(redis_server(*cluster()).url, "test-bus"), b"nobody")
    with capture_logs() as logged:
        async with running(bus):
            await until(lambda: bus.refusal is not None)
            assert SENTENCE in str(bus.refusal)
            assert str(bus.refusal).count(SENTENCE) == 1
    assert SENTENCE in logged[0]["reason"]
    assert logged[0]["reason"].count(SENTENCE) == 1


@pytest.mark.usefixtures("loggers_as_they_were")
def test_start_and_doctor_say_that_it_is_a_cluster_and_what_to_do(redis_server: StartRedis) -> None:
    whole = redis_server(*cluster()).url
    for url in (whole, whole.replace("/0", "/2")):
        assert SENTENCE in sentence(run("serve", "--port", "0", "--redis", url))
        said = run("doctor", "--redis", url)
        assert said.exit_code == 1
        assert SENTENCE in said.stdout
        assert "permissions" not in said.stdout


def test_so_does_each_command_that_it_refuses(redis_server: StartRedis) -> None:
    server = redis_server(*cluster())
    stage = ("tenants", "stage", "default", "v3", "--yes")
    for command in (stage, ("tenants", "list"), ("keys", "list")):
        assert SENTENCE in sentence(run(*command, "--redis", server.url))
    server.execute("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
    assert SENTENCE in sentence(run(*stage, "--redis", server.url))  # its keys are not of one slot
