"""Scripts are known by their digest, and sent whole where Redis does not know them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

import bridge
from bridge.broker.attendance import ATTENDANCE
from bridge.broker.data_loss import REMEMBER
from bridge.broker.history import BEGIN, READ
from bridge.broker.history import SAY as KEEP
from bridge.broker.leases import CLAIM, FORGET, LEASE
from bridge.broker.moves import MOVES
from bridge.broker.presence import ENTER, EXPIRE, HELD, LEAVE, MEMBERS
from bridge.broker.presence_events import SAY
from bridge.broker.scripts import Script
from bridge.broker.sweep import HELD_BY, SWEEP
from bridge.cli.checks.redis_server import TRY
from bridge.continuity.departures import FORGET as FORGET_DEPARTURE
from bridge.continuity.departures import LEAVE as LEAVE_CURSOR
from bridge.handshake.stored_keys import ADD, RESTORE, REVOKE
from bridge.records.refused_clients import NOTE as REFUSE
from bridge.records.store import NOTE
from bridge.tenants.change_log import ADOPT, CHANGE
from bridge.tenants.change_log_check import MAKE_ROOM
from tests.bridge.broker.parts import Answers, running_bus, until
from tests.conftest import StartRedis
from tests.servers import RedisServer

ROOMS = Path(bridge.__file__).parent
FILES = sorted(ROOMS.rglob("*.lua"))
ALL = [
    *(ENTER, LEAVE, EXPIRE, MEMBERS, HELD, SWEEP, HELD_BY, LEASE, CLAIM, FORGET, REMEMBER, SAY, MOVES),
    ATTENDANCE,
    *(BEGIN, READ, KEEP, FORGET_DEPARTURE, LEAVE_CURSOR),
    *(NOTE, REFUSE, MAKE_ROOM, ADD, REVOKE, RESTORE),
]
NAMED = re.compile(r'Script\.in_file\("([\w.]+)", "(\w+)"\)')
INCLUDED = re.compile(r'^--- @include "(\w+)"$', re.MULTILINE)


@pytest.fixture
def server(redis_server: StartRedis) -> RedisServer:
    return redis_server()


def calls(server: RedisServer) -> dict[str, int]:
    stats: Any = server.execute("INFO", "commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items() if "eval" in name}


async def test_a_script_is_sent_whole_once_and_then_by_its_digest(server: RedisServer) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    async with running_bus(server.url) as bus:
        answers = Answers()
        for _ in range(3):
            script.run(bus, ["k"], [7], answers)
            assert await answers.next() == [b"k", b"7"]
        assert calls(server) == {"evalsha": 3, "eval": 1}
        server.execute("SCRIPT", "FLUSH")
        script.run(bus, ["k"], ["again"], answers)
        assert await answers.next() == [b"k", b"again"]
        assert calls(server) == {"evalsha": 4, "eval": 2}
        assert answers.empty()


async def test_an_error_in_a_script_is_its_answer(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        answers = Answers()
        Script("return redis.call('LPUSH', 'l')").run(bus, [], [], answers)
        assert isinstance(await answers.next(), Exception)


async def test_a_script_that_redis_does_not_answer_is_answered_once(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        answers = Answers()
        server.freeze()
        ENTER.run(bus, ["p", "h"], ["ann", "ann:p1:v3:1", 60], answers)
        assert await answers.next() is None
        await until(lambda: not bus.is_up)
        ENTER.run(bus, ["p", "h"], ["ann", "ann:p1:v3:1", 60], answers)
        assert await answers.next() is None
        assert answers.empty()


@pytest.mark.parametrize("script", [*ALL, CHANGE, ADOPT, TRY], ids=range(len(ALL) + 3))
async def test_redis_can_read_every_script(redis: Redis, script: Script) -> None:
    assert await redis.script_load(script.source) == script.digest


Step = tuple[Script, list[str | int], Any]
ANN1, ANN2, BEN1 = "ann:p1:v3:1", "ann:p2:v2:2", "ben:p1:v3:3"
HELD_BY_P1: list[str | int] = ["ann", ANN1, "ben", BEN1]
PRESENCE: dict[str, list[Step]] = {
    "one comes and goes": [
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
        (ENTER, ["ann", ANN1, 60], [0, 1, 1]),
        (LEAVE, ["ann", ANN1], [1, 1, 0]),
        (LEAVE, ["ann", ANN1], [0, 1, 0]),
    ],
    "two connections of one client": [
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
        (ENTER, ["ann", ANN2, 60], [0, 0, 1]),
        (LEAVE, ["ann", ANN1], [0, 0, 1]),
        (MEMBERS, ["", 9], [[ANN2.encode()], b""]),
        (LEAVE, ["ann", ANN2], [1, 1, 0]),
    ],
    "a lifetime is not shortened": [
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
        (ENTER, ["ann", ANN1, 0], [0, 1, 1]),
        (EXPIRE, ["ann"], [0, 1]),
        (MEMBERS, ["", 9], [[ANN1.encode()], b""]),
    ],
    "a lifetime is over": [
        (ENTER, ["ann", ANN1, 0], [1, 1, 1]),
        (MEMBERS, ["", 9], [[], b""]),
        (EXPIRE, ["ann"], [1, 0]),
        (EXPIRE, ["ann"], [0, 0]),
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
    ],
    "members are told a part at a time": [
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
        (ENTER, ["ben", BEN1, 60], [1, 1, 2]),
        (MEMBERS, ["", 1], [[ANN1.encode()], ANN1.encode()]),
        (MEMBERS, [ANN1, 1], [[BEN1.encode()], BEN1.encode()]),
        (MEMBERS, [BEN1, 1], [[], b""]),
    ],
    "a process is swept": [
        (ENTER, ["ann", ANN1, 60], [1, 1, 1]),
        (ENTER, ["ann", ANN2, 60], [0, 0, 1]),
        (ENTER, ["ben", BEN1, 60], [1, 1, 2]),
        (HELD, HELD_BY_P1, 2),
        (SWEEP, ["p1", 0, 9], [b"0", [BEN1.encode()], 1]),
        (HELD, HELD_BY_P1, 0),
        (HELD, ["ann", ANN2], 1),
        (SWEEP, ["p2", 0, 9], [b"0", [ANN2.encode()], 0]),
    ],
}


@pytest.mark.parametrize("story", PRESENCE)
async def test_presence_in_redis(redis_url: str, prefix: str, story: str) -> None:
    keys = [f"{prefix}:presence", f"{prefix}:holders"]
    async with running_bus(redis_url) as bus:
        answers = Answers()
        for number, (script, arguments, expected) in enumerate(PRESENCE[story]):
            script.run(bus, keys, arguments, answers)
            assert await answers.next() == expected, number


LEASES: dict[str, list[Step]] = {
    "renewed": [(LEASE, ["p1", 60], [b"unknown", []]), (LEASE, ["p1", 60], [b"held", []])],
    "claimed while it lives": [(LEASE, ["p1", 60], [b"unknown", []]), (CLAIM, ["p1", 60], 0)],
    "claimed though nobody knows it": [(CLAIM, ["p1", 60], 0)],
    "over, claimed once, and back": [
        (LEASE, ["p1", -60], [b"unknown", [b"p1"]]),
        (CLAIM, ["p1", 60], 1),
        (CLAIM, ["p1", 60], 0),
        (LEASE, ["p1", 60], [b"swept", []]),
        (LEASE, ["p1", 60], [b"held", []]),
    ],
    "swept to the end, and back": [
        (LEASE, ["p1", -60], [b"unknown", [b"p1"]]),
        (CLAIM, ["p1", 60], 1),
        (FORGET, ["p1"], 1),
        (LEASE, ["p1", 60], [b"swept", []]),
    ],
    "back before the sweep ended": [
        (LEASE, ["p1", -60], [b"unknown", [b"p1"]]),
        (CLAIM, ["p1", 60], 1),
        (LEASE, ["p1", 60], [b"swept", []]),
        (FORGET, ["p1"], 1),
        (LEASE, ["p1", 60], [b"swept", []]),
    ],
}


@pytest.mark.parametrize("story", LEASES)
async def test_leases_in_redis(redis_url: str, prefix: str, story: str) -> None:
    keys = [f"{prefix}:processes", f"{prefix}:swept"]
    async with running_bus(redis_url) as bus:
        answers = Answers()
        for number, (script, arguments, expected) in enumerate(LEASES[story]):
            script.run(bus, keys, arguments, answers)
            assert await answers.next() == expected, number


ARGUMENTS: dict[Script, list[str | int]] = {
    LEASE: ["p1", 60],
    MEMBERS: ["", 9],
    HELD: HELD_BY_P1,
    SWEEP: ["p1", 0, 9],
    REMEMBER: ["new", "old", "now"],
}


@pytest.mark.parametrize("script", [ENTER, LEAVE, EXPIRE, *ARGUMENTS], ids=range(8))
async def test_another_type_under_our_names_is_replaced(redis_url: str, prefix: str, script: Script) -> None:
    keys = [f"{prefix}:one", f"{prefix}:other"]
    async with running_bus(redis_url) as bus:
        answers = Answers()
        spoil = Script("for _, key in ipairs(KEYS) do redis.call('SET', key, 'spoiled') end")
        spoil.run(bus, keys, [], answers)
        await answers.next()
        script.run(bus, keys, ARGUMENTS.get(script, ["ann", ANN1, 60]), answers)
        assert not isinstance(await answers.next(), Exception)


def test_no_script_frees_at_once_what_somebody_else_may_have_made_large() -> None:
    """DEL of a set of a million members keeps everybody waiting for as long as it takes; UNLINK does not."""
    assert [script for script in ALL if "'DEL'" in script.source] == []


def test_no_script_reads_whatever_stands_there_whole() -> None:
    assert [script for script in ALL if "0, -1" in script.source or "SMEMBERS" in script.source] == []


def files_named_in(module: Path) -> set[Path]:
    named = NAMED.findall(module.read_text())
    return {ROOMS.parent.joinpath(*package.split("."), f"{name}.lua") for package, name in named}


def files_included_in(file: Path) -> set[Path]:
    return {file.with_name(f"{name}.lua") for name in INCLUDED.findall(file.read_text())}


def test_every_file_of_a_script_is_used_and_every_script_that_is_named_has_a_file() -> None:
    named = set().union(*map(files_named_in, ROOMS.rglob("*.py")))
    assert named | set().union(*map(files_included_in, named)) == set(FILES)
    assert len(named) == len(ALL) + len([CHANGE, ADOPT, TRY])


def test_a_script_lies_beside_the_one_module_that_runs_it_and_bears_its_name() -> None:
    for module in ROOMS.rglob("*.py"):
        for file in files_named_in(module):
            assert file.parent == module.parent
            assert module.stem.startswith(file.stem.split("_")[0])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_script_says_first_what_it_takes_and_returns_and_what_it_never_does(file: Path) -> None:
    opening, _, code = file.read_text().partition("\n\n")
    assert all(line.startswith("-- ") for line in opening.splitlines())
    said = set(re.findall(r"^-- (KEYS|ARGV|Returns|Never) ", opening, re.MULTILINE))
    is_part = not any(file in files_named_in(module) for module in ROOMS.rglob("*.py"))
    assert said >= ({"KEYS", "Never"} if is_part else {"KEYS", "Returns", "Never"})
    assert ("ARGV" in said) == ("ARGV" in code)


def test_what_a_script_includes_stands_in_its_place() -> None:
    parts = [(ROOMS / "broker" / f"{name}.lua").read_text() for name in ("sorted_sets", "presence_holders")]
    assert all(part in ENTER.source for part in parts)
    assert "@include" not in ENTER.source
    assert ENTER.source.index(parts[0]) < ENTER.source.index(parts[1]) < ENTER.source.index("ZADD")


def test_a_script_without_a_file_is_found_out_at_once() -> None:
    with pytest.raises(OSError, match="nowhere"):
        Script.in_file("bridge.broker", "nowhere")
