"""A neighbour who writes into our Redis: what it spoils is its own or one tenant's, and everybody else is served."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from bridge.broker.addresses import Addresses
from bridge.broker.leases import RENEWAL_SECONDS
from tests.conftest import StartRedis
from tests.end_to_end.clients import eventually
from tests.end_to_end.configuration import UNHURRIED, api_key, key
from tests.hostile.bridges import Attacked, running
from tests.hostile.configuration import CONFIG
from tests.hostile.victims import Victims, victims
from tests.servers import RedisServer

BOSS = key("boss", "victim").replace("broadcast", "admin = true\nbroadcast")
PREFIX = "aether"
ADDRESSES = Addresses(PREFIX)
EVIL, GROUP = "evil", "home"
DEEP = b"[" * 100_000
WORDS = (
    *(b"\xff\xfe", b"", b"a b\r\n", b"nocolon", b":", b"a:b", b"{}", b"[]", b"null", b'{"rowdy":{"connections":7}}'),
    *(b"9" * 5_000, b"-1", b"1e999", "٣".encode(), b"\xed\xa0\x80", b"x:evil:v3", b"x:evil:v3:soon", DEEP),
    *(b"x:evil:v3:" + b"9" * 18, b"rowdy:home", b"\xff:\xff", b"x:evil:v3:1", b"ann:evil:v3:1"),
)
NAMES: dict[str, Callable[[], Any]] = {
    "presence": lambda: ADDRESSES.presence("rowdy", GROUP),
    "holders": lambda: ADDRESSES.holders("rowdy", GROUP),
    "held_by": lambda: ADDRESSES.held_by(EVIL),
    "headcount": lambda: ADDRESSES.headcount(EVIL),
    "swept": lambda: ADDRESSES.swept(EVIL),
    "tenant": lambda: ADDRESSES.tenant("rowdy"),
    "record": lambda: ADDRESSES.record("rowdy"),
    "id_map": lambda: ADDRESSES.id_map("rowdy"),
    "previous_id_map": lambda: ADDRESSES.previous_id_map("rowdy"),
    "held_step": lambda: ADDRESSES.held_step("rowdy"),
    "configuration": lambda: ADDRESSES.configuration(EVIL),
    "roll": lambda: ADDRESSES.roll("rowdy", "census"),
    "left": lambda: ADDRESSES.left("rowdy", "ann"),
    "history": lambda: kept_of_rowdy("history"),
    "unkept": lambda: kept_of_rowdy("unkept"),
    "expected": lambda: kept_of_rowdy("expected"),
}
"""Names of one tenant or of one process, which nobody else's depend on."""
OF_KEPT = {"history", "unkept", "expected"}
"""They are under what a channel's name makes: `kept_under`."""
OF_HISTORIES = ("last_number", "history_begin", "history_server")
SHARED = {
    name: getattr(ADDRESSES, name)
    for name in ("tenants", "changes", "memory", "loss", "processes", "keys", *OF_HISTORIES)
}
CHANNELS = {"group", "client", "broadcast", "everyone_on_v2", "platform", "probe", "listening_process", "path"}
NO_NAMES = {"tenant_of", "audience_of", "prefix", "kept_under", "kind_of", "platform_for"}


def kept_of_rowdy(what: str) -> str:
    return f"{ADDRESSES.kept_under(ADDRESSES.group('rowdy', GROUP)).decode()}:{what}"


def spoil_with_words(neighbour: Any, name: str) -> None:
    neighbour.set(name, WORDS[0])


def spoil_with_depth(neighbour: Any, name: str) -> None:
    neighbour.set(name, DEEP)


def spoil_with_a_list(neighbour: Any, name: str) -> None:
    neighbour.rpush(name, *WORDS)


def spoil_with_a_set(neighbour: Any, name: str) -> None:
    neighbour.sadd(name, *WORDS)


def spoil_with_a_hash(neighbour: Any, name: str) -> None:
    neighbour.hset(name, mapping=dict(zip(WORDS, reversed(WORDS), strict=True)))


def spoil_with_a_sorted_set(neighbour: Any, name: str) -> None:
    neighbour.zadd(name, {word: score for score, word in enumerate(WORDS)})


def spoil_with_a_later_sorted_set(neighbour: Any, name: str) -> None:
    neighbour.zadd(name, dict.fromkeys((*WORDS, EVIL), 9e12))


def spoil_with_a_stream(neighbour: Any, name: str) -> None:
    for word in WORDS:
        neighbour.xadd(name, {word: word, "tenant": word, "version": word, "change": word})


KINDS = {
    each.__name__.removeprefix("spoil_with_"): each
    for each in (
        spoil_with_words,
        spoil_with_depth,
        spoil_with_a_list,
        spoil_with_a_set,
        spoil_with_a_hash,
        spoil_with_a_sorted_set,
        spoil_with_a_later_sorted_set,
        spoil_with_a_stream,
    )
}


def test_every_name_in_redis_is_spoiled_here() -> None:
    names = {name for name, _ in inspect.getmembers(ADDRESSES) if not name.startswith("_")}
    assert names == set(NAMES) - OF_KEPT | set(SHARED) | CHANNELS | NO_NAMES


@contextmanager
def attacked_with(server: RedisServer, home: Path, without: str | None = None) -> Iterator[Attacked]:
    bridge = Attacked(
        home, "--redis", server.url, config=UNHURRIED + CONFIG + BOSS, environment={"BRIDGE_PREFIX": PREFIX}
    )
    bridge.without = without
    with running(bridge):
        yield bridge


async def everybody_is_served(bridge: Attacked, talking: Victims) -> None:
    """Another tenant's clients, its administrator, and whoever looks whether we live."""
    await talking.talk(3, 0)
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=bridge.url, headers=headers, timeout=30) as boss:
        for path in ("/healthz", "/admin/api/tenants", "/admin/api/tenants/victim"):
            answer = await boss.get(path)
            assert answer.status_code == 200, (path, answer.text)


def replace(neighbour: Any, name: str, spoil: Callable[[Any, str], Any]) -> None:
    """At once: the bridge writes there, too."""
    with neighbour.pipeline() as both:
        both.delete(name)
        spoil(both, name)
        both.execute()


async def whatever_is_written(server: RedisServer, bridge: Attacked) -> None:
    async with victims(bridge) as talking:
        with redis.Redis(port=server.port) as neighbour:
            for spoil in KINDS.values():
                for name in [*(name() for name in NAMES.values()), *SHARED.values()]:
                    replace(neighbour, name, spoil)
                await everybody_is_served(bridge, talking)
            for said in (DEEP, WORDS[0]):
                replace(neighbour, ADDRESSES.processes, lambda both, name: both.zadd(name, {EVIL: 9e12}))
                neighbour.set(ADDRESSES.headcount(EVIL), said)
                await everybody_is_served(bridge, talking)
            dead = dict.fromkeys((*WORDS[:3], EVIL), 1)
            replace(neighbour, ADDRESSES.processes, lambda both, name: both.zadd(name, dead))
            await eventually(lambda: is_swept(neighbour), 3 * RENEWAL_SECONDS)
        await everybody_is_served(bridge, talking)
    assert "Traceback" not in bridge.log
    assert "Exception" not in bridge.log


async def is_swept(neighbour: Any) -> bool:
    """The dead one that has a name; the others, who have none, are no longer there."""
    return set(neighbour.zrange(ADDRESSES.processes, 0, -1)).isdisjoint((*WORDS[:3], EVIL.encode()))


async def test_whatever_a_neighbour_writes_under_our_names_costs_only_itself(
    redis_server: StartRedis, tmp_path: Path
) -> None:
    server = redis_server()
    with attacked_with(server, tmp_path / "bridge") as bridge:
        await whatever_is_written(server, bridge)


@pytest.mark.parametrize("defence", ["names in Redis", "numbers in Redis"])
async def test_without_the_defence_somebody_elses_tenant_pays(
    redis_server: StartRedis, tmp_path: Path, defence: str
) -> None:
    server = redis_server()
    with attacked_with(server, tmp_path / "bridge", defence) as bridge, pytest.raises((AssertionError, TimeoutError)):
        await whatever_is_written(server, bridge)
