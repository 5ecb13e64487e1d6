"""Changes of a tenant, on a real Redis: once, by version, with their record."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import (
    LOSER,
    PAGE,
    RECORD_LENGTH,
    Change,
    Stale,
    Step,
    back,
    latest,
    latest_step,
    log_command,
    loss,
    make,
    newest,
    newest_step,
    standings,
)
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.id_map import replace_id_map
from bridge.tenants.standing import Standing
from bridge.tenants.stored_state import read_state, write_state
from bridge.tenants.tenant import Tenant
from tests.bridge.broker.parts import Answers, running_bus
from tests.conftest import StartRedis

BRIDGE, HALF, V3 = Standing("bridge", 0, "global"), Standing("drain", 50, "global"), Standing("v3", 0, "group")
WHEN = "2026-01-01T00:00:00.000000Z"


def step(version: int, before: Standing, after: Standing, *forced: str) -> Change:
    return Change("acme", version, "ann", WHEN, before, after, "because", forced=forced)


def altered(**fields: Any) -> dict[str, str]:
    """A line whose change says something else in places."""
    return {"version": "1", "change": json.dumps(step(1, BRIDGE, HALF).as_json() | fields)}


JUNK: list[dict[str, str]] = [
    {"junk": "junk"},
    {"version": "1"},
    {"version": "1", "change": "{}"},
    {"version": "1", "change": ""},
    {"version": "1", "change": "null"},
    {"version": "1", "change": "[" * 10_000},
    {"version": "1", "change": "\udcff"},
    altered() | {"version": "one"},
    altered() | {"version": "-1"},
    altered() | {"version": "9" * 5_000},
    altered(to="gone"),
    altered(to=["v3"]),
    altered(share=101),
    altered(from_share="50"),
    altered(v2_routing=None),
    altered(who=7),
    altered(kind="joke"),
    altered(rolls_back="1"),
    altered(forced=[7]),
    altered(forced=None),
]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, encoding_errors="surrogateescape") as client:
        yield client


async def test_a_change_is_written_and_recorded_with_the_next_version(redis: Redis, addresses: Addresses) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, HALF))
    assert made.version == 1
    state = await read_state(redis, addresses, "acme")
    assert (state.version, state.stage, state.share, state.v2_routing) == (1, "drain", 50, "global")
    assert await redis.hgetall(addresses.tenants) == {b"acme": b"1"}
    assert await newest(redis, addresses, "acme") == ([made], 0)


async def test_a_change_that_saw_an_older_version_is_not_made(redis: Redis, addresses: Addresses) -> None:
    await make(redis, addresses, step(0, BRIDGE, HALF))
    with pytest.raises(Stale) as stale:
        await make(redis, addresses, step(0, BRIDGE, V3))
    assert stale.value.version == 1
    assert (await read_state(redis, addresses, "acme")).stage == "drain"
    assert len((await newest(redis, addresses, "acme")).changes) == 1


async def test_where_something_else_stands_in_the_records_place_there_is_no_record(
    redis: Redis, addresses: Addresses
) -> None:
    await redis.set(addresses.record("acme"), "something else")
    await redis.set(addresses.changes, "something else")
    assert await newest(redis, addresses, "acme") == ([], 0)


@pytest.mark.parametrize("spoiled", ["tenants", "tenant", "record"])
async def test_a_change_that_cannot_be_written_whole_is_not_written_at_all(
    redis: Redis, addresses: Addresses, spoiled: str
) -> None:
    names = {"tenants": addresses.tenants, "tenant": addresses.tenant("acme"), "record": addresses.record("acme")}
    await redis.set(names[spoiled], "something else")
    with pytest.raises(ResponseError):
        await make(redis, addresses, step(0, BRIDGE, HALF))
    assert [key async for key in redis.scan_iter(f"{addresses.prefix}:*")] == [names[spoiled].encode()]


async def test_no_tenant_pushes_a_line_out_of_anothers_record(redis: Redis, addresses: Addresses) -> None:
    mine = await make(redis, addresses, step(0, BRIDGE, HALF))
    for version in range(RECORD_LENGTH + PAGE):
        await make(redis, addresses, replace(step(version, BRIDGE, HALF), tenant="other"))
    assert await newest(redis, addresses, "acme") == ([mine], 0)
    others = (await newest(redis, addresses, "other")).changes
    assert [each.version for each in others] == list(range(RECORD_LENGTH + PAGE, PAGE, -1))
    assert await redis.xlen(addresses.record("other")) == RECORD_LENGTH


async def test_a_record_is_read_up_to_as_many_lines_as_are_asked_for(redis: Redis, addresses: Addresses) -> None:
    made = [await make(redis, addresses, step(version, BRIDGE, HALF)) for version in range(2 * PAGE)]
    for most in (1, PAGE, PAGE + 1, 3 * PAGE):
        assert (await newest(redis, addresses, "acme", most)).changes == made[::-1][:most]


async def test_lines_from_when_all_tenants_had_one_record_go_to_those_whom_they_tell_of(
    redis: Redis, addresses: Addresses
) -> None:
    old = [replace(step(version, BRIDGE, HALF), tenant=name) for version in range(1, 302) for name in ("acme", "other")]
    for each in old:
        fields = {"tenant": each.tenant, "version": each.version, "change": json.dumps(each.as_json())}
        await redis.xadd(addresses.changes, cast(Any, fields))
    made = await make(redis, addresses, step(0, HALF, V3))
    for name, later in (("acme", [made]), ("other", [])):
        mine = [each for each in reversed(old) if each.tenant == name]
        assert await newest(redis, addresses, name) == (later + mine, 0)
    assert await redis.exists(addresses.changes) == 0


async def test_a_line_from_before_keeps_its_time_unless_a_later_one_is_there_already(
    redis: Redis, addresses: Addresses
) -> None:
    fields = {"tenant": "acme", "version": 1, "change": json.dumps(step(1, BRIDGE, HALF).as_json())}
    await redis.xadd(addresses.changes, cast(Any, fields), id="5000-3")
    await newest(redis, addresses, "acme")
    await redis.xadd(addresses.changes, cast(Any, fields), id="4000-0")
    await newest(redis, addresses, "acme")
    lines: Any = await redis.xrange(addresses.record("acme"))
    assert lines[0][0] == b"5000-3"
    assert len(lines) == 2


async def test_what_is_no_line_is_in_nobodys_way_among_those_from_before(redis: Redis, addresses: Addresses) -> None:
    line = step(1, BRIDGE, HALF)
    await redis.set(addresses.record("other"), "something else")
    for junk in JUNK:
        await redis.xadd(addresses.changes, cast(Any, {"tenant": "acme", **junk}))
    for tenant in ("", "other", "}:probe{", "a@b", "\x00"):
        await redis.xadd(addresses.changes, {"tenant": tenant, "version": 1, "change": "{}"})
    await redis.xadd(addresses.changes, cast(Any, {f"field {number}": number for number in range(10_000)}))
    await redis.xadd(addresses.changes, {"tenant": "acme", "version": 1, "change": json.dumps(line.as_json())})
    assert await newest(redis, addresses, "acme") == ([line], len(JUNK))
    names = {key async for key in redis.scan_iter(f"{addresses.prefix}:*")}
    assert names == {addresses.record("acme").encode(), addresses.record("other").encode()}


async def test_a_full_redis_loses_no_line_from_before(redis_server: StartRedis, prefix: str) -> None:
    addresses, line = Addresses(prefix), step(1, BRIDGE, HALF)
    async with Redis.from_url(redis_server().url) as redis:
        await redis.xadd(addresses.changes, {"tenant": "acme", "version": 1, "change": json.dumps(line.as_json())})
        await redis.config_set("maxmemory", 1)
        with pytest.raises(ResponseError, match="maxmemory"):
            await newest(redis, addresses, "acme")
        await redis.config_set("maxmemory", 0)
        assert await newest(redis, addresses, "acme") == ([line], 0)


@pytest.mark.parametrize("junk", JUNK, ids=str)
async def test_a_line_that_cannot_be_read_is_passed_over_and_counted(
    redis: Redis, addresses: Addresses, junk: dict[str, str]
) -> None:
    first = await make(redis, addresses, step(0, BRIDGE, HALF))
    await redis.xadd(addresses.record("acme"), cast(Any, junk))
    second = await make(redis, addresses, step(1, HALF, V3))
    assert await newest(redis, addresses, "acme") == ([second, first], 1)


async def test_what_could_not_be_decoded_of_a_reason_makes_no_line_unreadable(
    redis: Redis, addresses: Addresses
) -> None:
    await make(redis, addresses, replace(step(0, BRIDGE, HALF), why="caf\udce9 é"))
    assert [each.why for each in (await newest(redis, addresses, "acme")).changes] == ["caf? é"]


def test_a_rollback_says_what_it_takes_back_unless_it_has_a_reason() -> None:
    tenant = Tenant("acme", stage="v3", v2_routing="group", version=2)
    undone = back(tenant, HALF, 2, "ann", "", "")
    assert (undone.before, undone.after, undone.rolls_back, undone.why) == (V3, HALF, 2, "takes back version 2")
    assert (undone.kind, undone.version) == ("rollback", 2)
    assert back(tenant, HALF, 2, "ann", "", "too early").why == "too early"
    assert back(tenant, BRIDGE, None, "ann", "", "").why == ""


def test_an_order_that_moved_nothing_is_no_step() -> None:
    first, again = step(1, BRIDGE, HALF), step(2, HALF, HALF)
    assert newest_step([again, first]) == first
    assert newest_step([again]) is None


def test_a_record_says_where_the_tenant_stood() -> None:
    assert list(standings([step(2, HALF, V3), step(1, BRIDGE, HALF)])) == [V3, HALF, HALF, BRIDGE]


async def test_the_latest_change_is_the_one_that_brought_a_tenant_to_where_it_stands(
    redis: Redis, addresses: Addresses
) -> None:
    assert await latest(redis, addresses, "acme") is None
    first = await make(redis, addresses, step(0, BRIDGE, HALF))
    assert await latest(redis, addresses, "acme") == first
    forced = await make(redis, addresses, step(1, HALF, V3, "quiet_days", "stashed_percent"))
    assert await latest(redis, addresses, "acme") == forced
    assert await latest(redis, addresses, "other") is None
    undone = await make(redis, addresses, back(Tenant("acme", stage="v3", version=2), HALF, 2, "ann", WHEN, ""))
    assert await latest(redis, addresses, "acme") == undone


async def test_an_id_map_moves_nobody_so_the_latest_change_stays(redis: Redis, addresses: Addresses) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, HALF))
    await replace_id_map(redis, addresses, "acme", {"42": "Xk3dQ"})
    assert await latest(redis, addresses, "acme") == made


async def test_a_tenant_written_again_from_memory_was_brought_there_by_no_change_that_is_known(
    redis: Redis, addresses: Addresses
) -> None:
    await make(redis, addresses, step(0, BRIDGE, HALF))
    state = await read_state(redis, addresses, "acme")
    await redis.delete(addresses.tenants, addresses.tenant("acme"))
    assert await write_state(redis, addresses, "acme", state)
    assert await latest(redis, addresses, "acme") is None


async def test_guards_that_were_forced_stand_in_the_record(redis: Redis, addresses: Addresses) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, V3, "stashed_percent"))
    (found,) = (await newest(redis, addresses, "acme")).changes
    assert found == made
    assert found.as_json()["forced"] == ["stashed_percent"]


async def test_a_line_of_the_record_from_before_there_were_guards_forced_none(
    redis: Redis, addresses: Addresses
) -> None:
    fields = {name: value for name, value in step(1, BRIDGE, HALF).as_json().items() if name != "forced"}
    await redis.xadd(addresses.record("acme"), {"version": 1, "change": json.dumps(fields)})
    assert await newest(redis, addresses, "acme") == ([step(1, BRIDGE, HALF)], 0)


async def test_a_loss_is_recorded_and_changes_nothing(redis: Redis, addresses: Addresses, redis_url: str) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, HALF))
    tenant = Tenant("acme", stage="drain", share=50, version=1)
    written = Answers()
    async with running_bus(redis_url) as bus:
        bus.command(log_command(addresses, loss(tenant, WHEN)), written)
        assert isinstance(await written.next(), bytes)
    said, before = (await newest(redis, addresses, "acme")).changes
    assert (said.kind, said.who, said.when, said.version, said.before, said.after) == (
        "loss",
        LOSER,
        WHEN,
        1,
        HALF,
        HALF,
    )
    assert "Redis came back without its data" in said.why
    assert before == made
    assert await latest(redis, addresses, "acme") == made
    assert (await read_state(redis, addresses, "acme")).version == 1


def test_a_loss_is_no_step() -> None:
    first, lost = step(1, BRIDGE, HALF), loss(Tenant("acme", stage="drain", share=50, version=1), WHEN)
    assert newest_step([lost, first]) == first
    assert newest_step([lost]) is None


async def test_a_share_that_old_lines_kept_outside_of_drain_is_forgotten(redis: Redis, addresses: Addresses) -> None:
    line = {**step(1, HALF, BRIDGE).as_json(), "share": 50}
    await redis.xadd(addresses.record("acme"), {"version": 1, "change": json.dumps(line)})
    assert await newest(redis, addresses, "acme") == ([step(1, HALF, BRIDGE)], 0)


async def test_a_share_with_decimals_is_recorded_as_it_is(redis: Redis, addresses: Addresses) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, Standing("drain", 12.25, "global")))
    assert await newest(redis, addresses, "acme") == ([made], 0)
    assert (await read_state(redis, addresses, "acme")).share == 12.25


async def test_new_limits_of_guards_are_recorded_and_leave_the_standing_alone(
    redis: Redis, addresses: Addresses
) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, HALF))
    limits = GuardRules(), GuardRules(quiet_days=7)
    change = Change("acme", 1, "ann", WHEN, HALF, HALF, "quiet first", "guards", guards=limits)
    changed = await make(redis, addresses, change)
    state = await read_state(redis, addresses, "acme")
    assert (state.version, state.stage, state.share, state.guards) == (2, "drain", 50, GuardRules(quiet_days=7))
    assert await newest(redis, addresses, "acme") == ([changed, made], 0)
    assert changed.as_json()["from_guards"]["quiet_days"] is None
    assert changed.as_json()["guards"]["quiet_days"] == 7
    lines: Any = await redis.xrange(addresses.record("acme"))
    at = int(lines[0][0].split(b"-")[0])
    assert await latest_step(redis, addresses, "acme") == Step(made, at)
    assert await latest_step(redis, addresses, "acme", at) == Step(made, at)
    assert await latest_step(redis, addresses, "acme", at + 1) is None


async def test_limits_that_are_set_leave_a_configured_stage_to_the_configuration(
    redis: Redis, addresses: Addresses
) -> None:
    limits = GuardRules(), GuardRules(quiet_days=7)
    await make(redis, addresses, Change("acme", 0, "ann", WHEN, HALF, HALF, "", "guards", guards=limits))
    assert (await read_state(redis, addresses, "acme")).stage is None
    assert await latest_step(redis, addresses, "acme") is None
