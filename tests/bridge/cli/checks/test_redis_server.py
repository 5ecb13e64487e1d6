"""What the doctor says about a Redis. Each has a server of its own, made as the test needs it."""

import time

import pytest
import redis

from bridge.broker.addresses import Addresses
from bridge.cli.checks import redis_server as doctor
from bridge.cli.checks.finding import Finding
from tests.conftest import StartRedis
from tests.servers import RedisServer

PREFIX = "patient"


def findings(url: str, *, is_private: bool = False) -> dict[str, Finding]:
    """What is said, by check."""
    return {finding.check: finding for finding in doctor.look(url, PREFIX, is_private=is_private)}


def levels(found: dict[str, Finding]) -> set[str]:
    """The levels that occur."""
    return {finding.level for finding in found.values()}


def restricted(server: RedisServer, *rules: str) -> str:
    """The address for a user with these rules alone."""
    server.execute("ACL", "SETUSER", "bridge", "on", ">secret", *rules)
    return server.url.replace("redis://", "redis://bridge:secret@")


def test_a_server_as_it_should_be(redis_server: StartRedis) -> None:
    found = findings(redis_server("--appendonly", "yes").url)
    assert levels(found) == {"ok"}
    assert [*found] == [
        "redis",
        "version",
        "permissions",
        "pub/sub",
        "pubsub buffer",
        "maxmemory policy",
        "persistence",
        "clock",
        "tenants",
        "processes",
    ]


def test_nothing_is_left_behind(redis_server: StartRedis) -> None:
    server = redis_server()
    findings(server.url)
    assert server.execute("DBSIZE") == 0


@pytest.mark.parametrize("url", ["redis://name:secret@127.0.0.1:1/0", "unix:///nowhere/valkey.sock", "nonsense"])
def test_a_server_that_cannot_be_reached_is_the_only_finding(url: str) -> None:
    found = findings(url)
    assert [(finding.check, finding.level) for finding in found.values()] == [("redis", "fail")]
    assert "secret" not in found["redis"].said


def test_a_wrong_password_is_a_failure(redis_server: StartRedis) -> None:
    url = restricted(redis_server(), "+@all").replace("secret", "wrong")
    assert findings(url)["redis"].level == "fail"


def test_too_old_a_server_is_a_failure(redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_REDIS", (99, 0))
    assert findings(redis_server().url)["version"].level == "fail"


def test_a_user_who_may_do_what_a_bridge_does_is_enough(redis_server: StartRedis) -> None:
    rules = (f"~{PREFIX}:*", f"&{PREFIX}:*", "+@all", "-@admin", "-@dangerous", "+info")
    found = findings(restricted(redis_server("--appendonly", "yes"), *rules))
    assert {check for check, finding in found.items() if finding.level != "ok"} == {"pubsub buffer"}
    assert found["pubsub buffer"].level == "warn"


def test_refused_commands_are_named(redis_server: StartRedis) -> None:
    rules = (f"~{PREFIX}:*", f"&{PREFIX}:*", "+@all", "-zadd", "-evalsha")
    found = findings(restricted(redis_server(), *rules))["permissions"]
    assert found.level == "fail"
    assert found.said.startswith("refused: EVALSHA, EVAL, ZADD (")
    assert f"~{PREFIX}:*" in found.remedy


def test_another_prefix_than_the_users_is_a_failure(redis_server: StartRedis) -> None:
    found = findings(restricted(redis_server(), "~aether:*", "&aether:*", "+@all"))
    assert (found["permissions"].level, found["pub/sub"].level) == ("fail", "fail")


@pytest.mark.parametrize("refused", ["publish", "subscribe"])
def test_refused_pub_sub_is_a_failure(redis_server: StartRedis, refused: str) -> None:
    rules = (f"~{PREFIX}:*", f"&{PREFIX}:*", "+@all", f"-{refused}")
    found = findings(restricted(redis_server(), *rules))["pub/sub"]
    assert (found.level, refused in found.said.lower()) == ("fail", True)


def test_a_server_that_takes_no_writes_is_a_failure(redis_server: StartRedis) -> None:
    server = redis_server()
    server.execute("CONFIG", "SET", "maxmemory", "1")
    found = findings(server.url)["permissions"]
    assert found.level == "fail"
    assert "maxmemory" in found.said


@pytest.mark.parametrize(
    ("limit", "said"), [("0 0 0", "unlimited"), ("1mb 256kb 5", "a bridge that lags by 1 MB (0 MB for 5 s)")]
)
def test_a_pubsub_buffer_without_a_bound_or_too_small_is_said(redis_server: StartRedis, limit: str, said: str) -> None:
    server = redis_server()
    server.execute("CONFIG", "SET", "client-output-buffer-limit", f"pubsub {limit}")
    found = findings(server.url)["pubsub buffer"]
    assert (found.level, said in found.said) == ("warn", True)


@pytest.mark.parametrize(
    ("policy", "maxmemory", "level"),
    [
        ("noeviction", "100mb", "ok"),
        ("volatile-lru", "100mb", "ok"),
        ("allkeys-lru", "0", "warn"),
        ("allkeys-lru", "100mb", "fail"),
    ],
)
def test_eviction_may_not_take_tenants(redis_server: StartRedis, policy: str, maxmemory: str, level: str) -> None:
    found = findings(redis_server("--maxmemory-policy", policy, "--maxmemory", maxmemory).url)
    assert found["maxmemory policy"].level == level


def test_without_an_append_only_file_it_is_said_what_is_forgotten(redis_server: StartRedis) -> None:
    found = findings(redis_server().url)["persistence"]
    assert (found.level, "appendonly yes" in found.remedy) == ("warn", True)


@pytest.mark.parametrize(("seconds", "said"), [(-100, "ahead of"), (100, "behind")])
def test_a_clock_that_is_off_is_said(
    redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch, seconds: int, said: str
) -> None:
    server, now = redis_server(), time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    found = findings(server.url)["clock"]
    assert (found.level, said in found.said) == ("warn", True)


def test_more_tenants_than_are_kept_are_said(redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MOST_OTHERS", 2)
    server = redis_server()
    levels_by_number = []
    for number in range(1, 4):
        server.execute("HSET", f"{PREFIX}:tenants", f"t{number}", number)
        levels_by_number.append(findings(server.url)["tenants"].level)
    assert levels_by_number == ["ok", "ok", "warn"]


def test_living_processes_under_the_prefix_are_said_unless_the_server_is_private(redis_server: StartRedis) -> None:
    server = redis_server()
    for process, ends in (("alive", 60), ("dead", -60)):
        server.execute("ZADD", f"{PREFIX}:{{processes}}", int(time.time()) + ends, process)
    found = findings(server.url)["processes"]
    assert (found.level, found.said) == ("warn", f"1 bridge processes run under the prefix '{PREFIX}'")
    assert findings(server.url, is_private=True)["processes"].level == "ok"


def test_bridges_in_another_database_under_the_same_prefix_are_seen(redis_server: StartRedis) -> None:
    server = redis_server()
    two = server.url.removesuffix("/0") + "/2"
    with redis.Redis.from_url(two) as database:
        database.zadd(Addresses(PREFIX).processes, {"one": time.time() + 60, "other": time.time() + 60, "dead": 1})
    seen = findings(server.url)
    assert "2 more run" in seen["database 2"].said
    assert f"{PREFIX}@2:" in seen["database 2"].said
    assert "database 0" not in findings(two)


def test_channels_are_tried_under_the_name_that_bridges_of_this_database_use(redis_server: StartRedis) -> None:
    server = redis_server()
    url = restricted(server, f"~{PREFIX}:*", f"&{PREFIX}@3:*", "+@all").removesuffix("/0")
    assert findings(url + "/3")["pub/sub"].level == "ok"
    assert f"&{PREFIX}:*" in (findings(url + "/0")["pub/sub"].remedy or "")
