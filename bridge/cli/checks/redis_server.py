"""Checks of the Redis server: reachable, version, permissions, buffers, eviction, persistence, clock, other bridges.

It tries the commands of a bridge on keys and a channel of its own under the prefix, and leaves nothing behind.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import redis
from redis.exceptions import RedisError, ResponseError

from bridge.broker.addresses import Addresses
from bridge.broker.cluster import SENTENCE, is_cluster
from bridge.broker.link import database_in
from bridge.broker.scripts import Script
from bridge.cli.checks.finding import Finding, bad, ok, warn
from bridge.config.redaction import redact
from bridge.tenants.table import MOST_OTHERS

ANSWER_SECONDS: Final = 3.0
OLDEST_REDIS: Final = (6, 2)
LARGEST_SKEW_SECONDS: Final = 2.0
SMALLEST_PUBSUB_BUFFER: Final = 32 * 1024 * 1024
TRY: Final = Script.in_file("bridge.cli.checks", "redis_server_try")
NO_DIGEST: Final = "0" * 40
NO_KEY: Final = "no such key"
"""The answer about a stream that could not be made: that was refused before."""

Server = Any
"""A redis-py client, whose answers have no static types."""
Look = Callable[[Server, Addresses], Iterator[Finding]]


def look(url: str, prefix: str, *, is_private: bool) -> Iterator[Finding]:
    """All findings about the server at `url`. If it cannot be reached, that is the only one."""
    where = redact(url)
    try:
        if is_cluster(url):
            yield bad("cluster", f"{where}: {SENTENCE}", "mend --redis")
            return
        with redis.Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, protocol=2
        ) as server:
            began = time.monotonic()
            server.ping()
            yield ok("redis", f"{where} answers in {(time.monotonic() - began) * 1000:.1f} ms")
            addresses = Addresses(prefix, database_in(url))
            for part in PARTS:
                yield from _guarded(part, server, addresses)
            yield from _guarded(_own_processes if is_private else _processes, server, addresses)
            yield from _guarded(_other_databases, server, addresses)
    except (RedisError, OSError, ValueError) as error:
        yield bad("redis", f"{where}: {error}", "start it, or mend --redis, its user and its password")


def _guarded(part: Look, server: Server, addresses: Addresses) -> Iterator[Finding]:
    try:
        yield from part(server, addresses)
    except ResponseError as error:
        check = part.__name__.strip("_").replace("_", " ")
        yield warn(check, f"could not be looked at: {error}", "let this user ask, or ask whoever runs the server")


def _version(server: Server, _addresses: Addresses) -> Iterator[Finding]:
    facts = server.info("server")
    compatible = str(facts["redis_version"])
    name = f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {compatible}"
    numbers = tuple(int(part) for part in compatible.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_REDIS:
        yield bad("version", f"{name} is too old", "use Redis 6.2 or later, or Valkey")
    else:
        yield ok("version", name)


def _permissions(server: Server, addresses: Addresses) -> Iterator[Finding]:
    """Tries every kind of command that a bridge uses, on keys of its own."""
    key = f"{addresses.prefix}:{{doctor}}:{secrets.token_hex(6)}"
    commands = (
        ("EVALSHA", NO_DIGEST, 1, key),
        ("EVAL", TRY.source, 1, f"{key}:script"),
        ("ZADD", f"{key}:zset", 0, "x"),
        ("ZREM", f"{key}:zset", "x"),
        ("SADD", f"{key}:set", "x"),
        ("GETRANGE", key, 0, 1),
        ("SREM", f"{key}:set", "x"),
        ("HSET", f"{key}:hash", "x", "y"),
        ("HGETALL", f"{key}:hash"),
        ("XADD", f"{key}:stream", "*", "x", "y"),
        ("XRANGE", f"{key}:stream", "-", "+", "COUNT", 1),
        ("XINFO", "STREAM", f"{key}:stream"),
        ("SCRIPT", "LOAD", TRY.source),
        ("UNLINK", f"{key}:hash", f"{key}:set", f"{key}:stream", f"{key}:zset"),
    )
    refused = {command[0]: problem for command in commands if (problem := _refusal(server, command)) is not None}
    if refused:
        remedy = f"mend the server, or let this user give these commands on ~{addresses.prefix}:*"
        yield bad("permissions", f"refused: {', '.join(refused)} ({list(refused.values())[-1]})", remedy)
    else:
        yield ok("permissions", f"scripts, sets and hashes may be written under {addresses.prefix}:")


def _refusal(server: Server, command: tuple[str | int, ...]) -> str | None:
    try:
        server.execute_command(*command)
    except redis.exceptions.NoScriptError:
        return None
    except ResponseError as error:
        return None if str(error) == NO_KEY else str(error)
    return None


def _channels(addresses: Addresses) -> str:
    """What the names of channels begin with."""
    return addresses.platform.decode().removesuffix(":{b}")


def _pubsub(server: Server, addresses: Addresses) -> Iterator[Finding]:
    channel, said = f"{_channels(addresses)}:{{doctor:{secrets.token_hex(6)}}}", secrets.token_bytes(8)
    remedy = f"let this user SUBSCRIBE and PUBLISH on &{_channels(addresses)}:*"
    try:
        with server.pubsub() as listener:
            listener.subscribe(channel)
            listener.get_message(timeout=ANSWER_SECONDS)
            server.publish(channel, said)
            heard = listener.get_message(timeout=ANSWER_SECONDS)
    except ResponseError as error:
        yield bad("pub/sub", f"refused: {error}", remedy)
        return
    if heard is None or heard["data"] != said:
        yield bad("pub/sub", "what is published is not heard", remedy)
    else:
        yield ok("pub/sub", "what is published is heard")


def _pubsub_buffer(server: Server, _addresses: Addresses) -> Iterator[Finding]:
    limits = str(server.config_get("client-output-buffer-limit").get("client-output-buffer-limit", "")).split()
    if "pubsub" not in limits:
        return
    hard, soft, seconds = (int(number) for number in limits[limits.index("pubsub") + 1 :][:3])
    said = f"a bridge that lags by {_megabytes(hard)} ({_megabytes(soft)} for {seconds} s) is cut off and comes back"
    remedy = "CONFIG SET client-output-buffer-limit 'pubsub 32mb 8mb 60' or more"
    if hard == 0 and soft == 0:
        yield warn("pubsub buffer", "unlimited: a bridge that hangs fills the server's memory", remedy)
    elif 0 < hard < SMALLEST_PUBSUB_BUFFER:
        yield warn("pubsub buffer", said, remedy)
    else:
        yield ok("pubsub buffer", said)


def _megabytes(number: int) -> str:
    return f"{number / 1024 / 1024:.0f} MB"


def _maxmemory_policy(server: Server, _addresses: Addresses) -> Iterator[Finding]:
    facts = server.info("memory")
    policy, most = str(facts.get("maxmemory_policy", "noeviction")), int(facts.get("maxmemory", 0))
    said = f"{policy}, maxmemory {_megabytes(most) if most else 'unlimited'}"
    if not policy.startswith("allkeys"):
        yield ok("maxmemory policy", said)
        return
    remedy = "use noeviction or a volatile-* policy: tenants and id maps may be thrown away under this one"
    yield bad("maxmemory policy", said, remedy) if most else warn("maxmemory policy", said, remedy)


def _persistence(server: Server, _addresses: Addresses) -> Iterator[Finding]:
    facts: Mapping[str, Any] = server.info("persistence")
    if int(facts.get("aof_enabled", 0)):
        yield ok("persistence", "appendonly: stages, id maps and their record outlive a restart")
        return
    remedy = "set appendonly yes: running bridges write stages and id maps again, but not the record of changes"
    yield warn("persistence", "no append-only file: a restart may forget the last changes of tenants, or all", remedy)


def _clock(server: Server, _addresses: Addresses) -> Iterator[Finding]:
    before = time.time()
    seconds, microseconds = server.time()
    skew = seconds + microseconds / 1_000_000 - (before + time.time()) / 2
    said = f"the server's clock is {abs(skew):.2f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) > LARGEST_SKEW_SECONDS:
        yield warn("clock", said, "synchronise both: members' times and tokens' ends depend on it")
    else:
        yield ok("clock", said)


def _tenants(server: Server, addresses: Addresses) -> Iterator[Finding]:
    number = int(server.hlen(addresses.tenants))
    said = f"{number:,} are known to Redis"
    if number > MOST_OTHERS:
        remedy = (
            f"configure those that there are: of all others a bridge keeps {MOST_OTHERS:,}, and those who are connected"
        )
        yield warn("tenants", said, remedy)
    else:
        yield ok("tenants", said)


def _living(server: Server, addresses: Addresses) -> int:
    return int(server.zcount(addresses.processes, int(server.time()[0]), "+inf"))


def _own_processes(server: Server, addresses: Addresses) -> Iterator[Finding]:
    yield ok("processes", f"{_living(server, addresses)} bridge processes run on this private server")


def _processes(server: Server, addresses: Addresses) -> Iterator[Finding]:
    living = _living(server, addresses)
    if not living:
        yield ok("processes", f"no bridge runs under the prefix {addresses.prefix!r}")
        return
    remedy = "if they are not of this deployment, choose another prefix: they would hear each other"
    yield warn("processes", f"{living} bridge processes run under the prefix {addresses.prefix!r}", remedy)


def _other_databases(server: Server, addresses: Addresses) -> Iterator[Finding]:
    """Bridges under the same prefix in other databases of the server: they have keys and channels of their own."""
    pool = server.connection_pool
    own = int(pool.connection_kwargs.get("db", 0))
    for database in sorted(int(name.removeprefix("db")) for name in server.info("keyspace")):
        if database == own:
            continue
        given = {**pool.connection_kwargs, "db": database}
        with redis.Redis(connection_pool=redis.ConnectionPool(pool.connection_class, **given)) as other:
            living = _living(other, addresses)
        channels = _channels(Addresses(addresses.prefix, database))
        if living:
            said = f"{living} more run under the prefix {addresses.prefix!r} in database {database}: they are apart, on"
            yield ok(f"database {database}", f"{said} channels {channels}:… (these: {_channels(addresses)}:…)")


PARTS: Final[tuple[Look, ...]] = (
    _version,
    _permissions,
    _pubsub,
    _pubsub_buffer,
    _maxmemory_policy,
    _persistence,
    _clock,
    _tenants,
)
