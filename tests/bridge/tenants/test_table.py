"""The tenants as Redis and the configuration know them: looked at again and again, and written again when forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from bridge.broker.addresses import Addresses
from bridge.tenants import table as tenant_table_module
from bridge.tenants.stored_state import read_state, write_state
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant, TenantState
from tests.bridge.broker.parts import ANSWER_SECONDS, running, until
from tests.conftest import StartRedis
from tests.proxy import proxy_to

ACME = Tenant("acme", hosts=("acme.test",), v2_routing="group")
STATE = TenantState(version=3, stage="drain", share=30, v2_routing="global", id_map={"42": "Xk3", "7": "Yl4"})


@pytest.fixture
def here() -> set[str]:
    """The tenants that have connections."""
    return set()


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a look does all that it may."""
    monkeypatch.setattr(tenant_table_module, "OTHERS_SECONDS", 60.0)


@pytest.fixture
def table(redis: Redis, addresses: Addresses, here: set[str]) -> TenantTable:
    return TenantTable(redis, addresses, {"acme": ACME, "beta": Tenant("beta")}, lambda: here)


async def test_before_the_first_look_it_is_the_configuration(table: TenantTable) -> None:
    assert table.get("acme") is ACME
    assert table.get("nobody") is None
    assert [tenant.name for tenant in table.all()] == ["acme", "beta"]
    assert table.of_host("acme.test") is ACME
    assert table.of_host("other.test") is None


async def test_what_redis_holds_wins_over_the_configuration(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    assert await write_state(redis, addresses, "acme", STATE)
    await table.look()
    acme = table.get("acme")
    assert acme == replace(ACME, stage="drain", share=30, v2_routing="global", version=3)
    assert acme is not None
    assert acme.names.id_map == STATE.id_map


async def test_what_was_never_changed_stays_as_configured(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    await write_state(redis, addresses, "acme", TenantState(version=1, v2_routing="group"))
    await table.look()
    assert table.get("acme") == replace(ACME, v2_routing="group", version=1)


async def test_a_tenant_that_only_redis_knows_is_known(table: TenantTable, redis: Redis, addresses: Addresses) -> None:
    await write_state(redis, addresses, "new", TenantState(version=1, stage="v3"))
    await table.look()
    assert table.get("new") == Tenant("new", stage="v3", version=1)


async def test_a_change_is_told_once_with_before_and_after(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    changes: list[tuple[Tenant, Tenant]] = []
    table.changed.add(lambda before, after: changes.append((before, after)))
    await write_state(redis, addresses, "acme", STATE)
    for _ in range(3):
        await table.look()
    assert changes == [(ACME, table.get("acme"))]
    await write_state(redis, addresses, "acme", replace(STATE, version=4, stage="v3"))
    await table.look()
    assert [(before.stage, after.stage) for before, after in changes] == [("bridge", "drain"), ("drain", "v3")]


async def test_it_looks_by_itself(
    table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_table_module, "LOOK_SECONDS", 0.01)
    async with running(table):
        await write_state(redis, addresses, "acme", STATE)
        await until(lambda: getattr(table.get("acme"), "version", 0) == 3)


async def test_it_ends_when_it_is_cancelled_whatever_redis_py_makes_of_that(
    redis_url: str, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled at every moment of a look; without the table's own check one of these never ends."""
    monkeypatch.setattr(tenant_table_module, "LOOK_SECONDS", 0)
    async with Redis.from_url(redis_url) as redis:
        for number in range(200):
            looking = asyncio.create_task(TenantTable(redis, addresses, {}).run())
            await asyncio.sleep(number / 100_000)
            looking.cancel()
            await asyncio.wait({looking}, timeout=ANSWER_SECONDS)
            assert looking.done()


class TestAtOnce:
    """Whoever comes by a change does not wait for the next look."""

    async def test_a_tenant_is_as_redis_has_it_and_its_change_is_told(
        self, table: TenantTable, redis: Redis, addresses: Addresses
    ) -> None:
        changes: list[tuple[Tenant, Tenant]] = []
        table.changed.add(lambda before, after: changes.append((before, after)))
        assert await table.renew("acme") is ACME
        await write_state(redis, addresses, "acme", STATE)
        acme = await table.renew("acme")
        assert (acme.stage, acme.share, acme.names.id_map) == ("drain", 30, STATE.id_map)
        assert await table.renew("acme") is acme
        assert changes == [(ACME, acme)]

    async def test_for_a_crowd_that_asks_together_redis_is_asked_twice_at_most(
        self, table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await write_state(redis, addresses, "acme", STATE)
        await table.look()
        asked, of = [], table._versions.of

        async def counted(names: Sequence[str]) -> dict[str, int]:
            asked.append(names)
            return await of(names)

        monkeypatch.setattr(table._versions, "of", counted)
        tenants = await asyncio.gather(*(table.renew("acme") for _ in range(1_000)))
        assert {tenant.version for tenant in tenants} == {3}
        assert 1 <= len(asked) <= 2

    async def test_what_cannot_be_read_is_looked_at_once(
        self, table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await redis.hset(addresses.tenants, "acme", 4)
        await spoil(redis, addresses.tenant("acme"))
        with capture_logs() as logs:
            assert await table.renew("acme") is ACME
            monkeypatch.setattr(table, "look_once", None)
            assert await table.renew("acme") is ACME
        assert [line["event"] for line in logs] == ["tenant_unreadable"]

    async def test_it_is_as_it_is_known_where_redis_does_not_tell(
        self, redis_server: StartRedis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tenant_table_module, "RENEW_SECONDS", 0.05)
        async with proxy_to(redis_server().port) as proxy, Redis.from_url(proxy.url) as redis:
            table = TenantTable(redis, addresses, {"acme": ACME})
            assert await table.renew("acme") is ACME
            proxy.down.hold()
            async with asyncio.timeout(ANSWER_SECONDS):
                assert await asyncio.gather(*(table.renew("acme") for _ in range(100))) == [ACME] * 100


async def many(redis: Redis, addresses: Addresses, number: int) -> None:
    """So many names that nobody has configured."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hset(addresses.tenants, mapping={f"t{each}": 1 for each in range(number)})
        for each in range(number):
            pipeline.hset(addresses.tenant(f"t{each}"), "version", 1)
        await pipeline.execute()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bounded by thousands, by a few; and a look is for them alone as long as it takes."""
    monkeypatch.setattr(tenant_table_module, "MOST_OTHERS", 20)
    monkeypatch.setattr(tenant_table_module, "OTHERS_PER_LOOK", 7)


@pytest.mark.usefixtures("small")
async def test_of_those_whom_nobody_asks_for_so_many_are_read_at_a_look_and_kept_at_most(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    await many(redis, addresses, 3_000)
    known = []
    with capture_logs() as logs:
        for _ in range(6):
            await table.look()
            known.append(len(list(table.all())) - 2)
    assert known == [7, 14, 20, 20, 20, 20]
    left_out = [line for line in logs if line["event"] == "tenants_left_out"]
    assert [(line["kept"], line["names"]) for line in left_out] == [(20, 3_000)]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("who", ["configured", "here", "named"])
async def test_whoever_is_configured_or_here_or_asked_for_comes_first_however_many_others_there_are(
    table: TenantTable, redis: Redis, addresses: Addresses, here: set[str], who: str
) -> None:
    await many(redis, addresses, 3_000)
    await table.look_around(60.0)
    name = "acme" if who == "configured" else "zeta"
    await write_state(redis, addresses, name, STATE)
    here.update({"zeta", "nobody"} if who == "here" else ())
    await table.look(*(["zeta"] if who == "named" else []))
    assert getattr(table.get(name), "stage", None) == "drain"
    await write_state(redis, addresses, name, replace(STATE, version=4, stage="v3"))
    await table.look(*(["zeta"] if who == "named" else []))
    assert getattr(table.get(name), "stage", None) == "v3"


async def test_a_name_behind_which_nothing_stands_is_nobody(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    await redis.hset(addresses.tenants, mapping={f"t{number}": 1 for number in range(100)})
    for _ in range(3):
        await table.look()
    assert [tenant.name for tenant in table.all()] == ["acme", "beta"]
    assert not await redis.exists(addresses.tenant("t1"))


@pytest.mark.usefixtures("small")
async def test_whoever_is_gone_is_let_go_where_too_many_are_kept(
    table: TenantTable, redis: Redis, addresses: Addresses, here: set[str]
) -> None:
    await many(redis, addresses, 40)
    here.update(f"t{number}" for number in range(40))
    await table.look()
    assert len(list(table.all())) == 42
    here.intersection_update({"t39"})
    await table.look()
    assert len(list(table.all())) == 22
    assert table.get("t39") is not None


@pytest.mark.usefixtures("small")
async def test_before_anyone_comes_all_are_found_who_can_be_kept(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    for number in range(15):
        await write_state(redis, addresses, f"t{number}", TenantState(version=1, stage="v3"))
    await table.look_around(60.0)
    assert [tenant.stage for tenant in table.all()].count("v3") == 15


async def test_a_look_goes_on_with_the_others_for_so_long_alone(
    table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_table_module, "OTHERS_SECONDS", 0.0)
    await many(redis, addresses, 50)
    await write_state(redis, addresses, "acme", STATE)
    await table.look()
    assert getattr(table.get("acme"), "stage", None) == "drain"
    assert len(list(table.all())) == 3  # one a look, whatever the time


@pytest.mark.usefixtures("small")
async def test_those_who_cannot_be_read_are_noted_up_to_a_bound(
    table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_table_module, "OTHERS_PER_LOOK", 1_000)
    await many(redis, addresses, 100)
    for number in range(100):
        await spoil(redis, addresses.tenant(f"t{number}"))
    with capture_logs():
        for _ in range(10):
            await table.look()
    assert len(table._unreadable) == 22


async def spoil(redis: Redis, key: str) -> None:
    await redis.delete(key)
    await redis.lpush(key, "spoiled")


@pytest.mark.parametrize("how", ["deleted", "another type"])
@pytest.mark.parametrize("what", ["versions", "tenant", "id map", "everything"])
async def test_what_redis_forgot_is_written_again(
    table: TenantTable, redis: Redis, addresses: Addresses, what: str, how: str
) -> None:
    changes: list[Tenant] = []
    await write_state(redis, addresses, "acme", STATE)
    await write_state(redis, addresses, "beta", TenantState(version=1, stage="v3"))
    await table.look()
    table.changed.add(lambda _, after: changes.append(after))
    keys = {"versions": addresses.tenants, "tenant": addresses.tenant("acme"), "id map": addresses.id_map("acme")}
    for key in keys.values() if what == "everything" else [keys[what]]:
        await (redis.delete(key) if how == "deleted" else spoil(redis, key))
    for _ in range(tenant_table_module.LOOKS_PER_ROUND):
        await table.look()
    assert await read_state(redis, addresses, "acme") == STATE
    assert await redis.hgetall(addresses.tenants) == {b"acme": b"3", b"beta": b"1"}
    assert changes == []


async def test_many_tenants_are_verified_in_one_round(redis: Redis, addresses: Addresses) -> None:
    table = TenantTable(redis, addresses, {})
    for number in range(25):
        await write_state(redis, addresses, f"t{number}", TenantState(version=1, stage="v3"))
    await table.look()
    for number in range(25):
        await redis.delete(addresses.tenant(f"t{number}"))
    for _ in range(tenant_table_module.LOOKS_PER_ROUND):
        await table.look()
    states = [await read_state(redis, addresses, f"t{number}") for number in range(25)]
    assert {state.stage for state in states} == {"v3"}


@pytest.mark.parametrize("how", ["deleted", "another type"])
async def test_a_later_version_that_only_the_tenant_itself_tells_is_not_written_over(
    redis: Redis, addresses: Addresses, how: str
) -> None:
    """One process has not seen the last change yet, and finds the versions lost."""
    table = TenantTable(redis, addresses, {})
    await write_state(redis, addresses, "acme", STATE)
    await table.look()
    await write_state(redis, addresses, "acme", replace(STATE, version=4, share=95))
    await (redis.delete(addresses.tenants) if how == "deleted" else spoil(redis, addresses.tenants))
    for _ in range(2):
        await table.look()
    assert table.get("acme") == Tenant("acme", stage="drain", share=95, version=4)
    assert (await read_state(redis, addresses, "acme")).share == 95
    assert await redis.hget(addresses.tenants, "acme") == b"4"


async def test_whoever_knows_a_later_version_wins(redis: Redis, addresses: Addresses) -> None:
    """One process saw the last change before the flush, the other did not."""
    early, late = (TenantTable(redis, addresses, {}) for _ in range(2))
    await write_state(redis, addresses, "acme", STATE)
    await early.look()
    await write_state(redis, addresses, "acme", replace(STATE, version=4, stage="v3"))
    await late.look()
    for one, other in ((early, late), (late, early)):
        await redis.delete(addresses.tenants, addresses.tenant("acme"), addresses.id_map("acme"))
        for table in (one, other, one, other):
            await table.look()
        assert [table.get("acme") for table in (one, other)] == [Tenant("acme", stage="v3", version=4)] * 2
        assert (await read_state(redis, addresses, "acme")).stage == "v3"


async def test_an_id_map_that_is_not_one_to_one_leaves_the_tenant_as_it_is_and_is_logged_once(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    await write_state(redis, addresses, "acme", STATE)
    await table.look()
    known = table.get("acme")
    await write_state(redis, addresses, "acme", replace(STATE, version=4, id_map={"1": "same", "2": "same"}))
    await write_state(redis, addresses, "beta", TenantState(version=1, stage="v3"))
    with capture_logs() as logs:
        for _ in range(3):
            await table.look()
    assert table.get("acme") is known
    assert [line["event"] for line in logs] == ["tenant_unreadable"]
    assert getattr(table.get("beta"), "stage", None) == "v3"
    await write_state(redis, addresses, "acme", replace(STATE, version=5, id_map={"1": "other"}))
    await table.look()
    assert getattr(table.get("acme"), "version", 0) == 5


async def test_words_that_redis_should_not_hold_count_as_never_set(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    fields = {"version": "2", "stage": "nonsense", "share": "101", "v2_routing": b"\xff"}
    await redis.hset(addresses.tenant("acme"), mapping=fields)  # type: ignore[arg-type]
    await redis.hset(addresses.tenants, mapping={"acme": "2", b"\xff": "1", "no name": "1", "*": "x"})
    await table.look()
    assert table.get("acme") == replace(ACME, version=2)
    assert [tenant.name for tenant in table.all()] == ["acme", "beta"]


@pytest.mark.parametrize("version", ["soon", "9" * 5_000, "٣"])
async def test_a_version_that_is_no_number_is_none(
    table: TenantTable, redis: Redis, addresses: Addresses, version: str
) -> None:
    await redis.hset(addresses.tenants, "acme", version)
    await table.look()
    assert table.get("acme") == ACME
    await write_state(redis, addresses, "acme", STATE)
    await table.look()
    await redis.hset(addresses.tenants, "acme", version)
    await table.look()
    assert await redis.hget(addresses.tenants, "acme") == b"3"


async def test_a_look_that_fails_leaves_everything_as_it_is(redis_server: StartRedis, addresses: Addresses) -> None:
    server = redis_server()
    async with Redis.from_url(server.url) as redis:
        table = TenantTable(redis, addresses, {"acme": ACME})
        await write_state(redis, addresses, "acme", STATE)
        await table.look()
        known = table.get("acme")
        server.kill()
        with pytest.raises(RedisError):
            await table.look()
        with capture_logs() as logs:
            assert [await table.look_once() for _ in range(3)] == [False] * 3
        assert [line["event"] for line in logs] == ["tenants_unreadable"]  # one line an outage
        assert table.get("acme") is known
        server.start()
        assert await table.look_once()
        server.kill()
        with capture_logs() as logs:
            await table.look_once()
        assert [line["event"] for line in logs] == ["tenants_unreadable"]
        server.start()
        await table.look()
        assert await read_state(redis, addresses, "acme") == STATE


@pytest.mark.parametrize("refused", ["hmget", "hscan"])
async def test_an_error_that_is_not_about_a_type_is_not_mended(
    redis_server: StartRedis, addresses: Addresses, refused: str
) -> None:
    server = redis_server()
    async with Redis.from_url(server.url) as redis:
        table = TenantTable(redis, addresses, {"acme": ACME})
        await write_state(redis, addresses, "acme", STATE)
        server.execute("ACL", "SETUSER", "default", f"-{refused}")
        with pytest.raises(RedisError):
            await table.look()
        server.execute("ACL", "SETUSER", "default", f"+{refused}")
        await asyncio.sleep(0)
        assert await read_state(redis, addresses, "acme") == STATE


async def test_a_connection_that_was_reset_is_a_look_that_fails_and_the_next_one_works(
    redis_server: StartRedis, addresses: Addresses
) -> None:
    async with proxy_to(redis_server().port) as proxy, Redis.from_url(proxy.url) as redis:
        table = TenantTable(redis, addresses, {})
        await write_state(redis, addresses, "acme", STATE)
        for _ in range(5):
            await table.look()
            proxy.reset()
            await asyncio.sleep(0.01)
            with capture_logs():
                await table.look_once()
                await table.look_once()
        await table.look()
        assert getattr(table.get("acme"), "version", 0) == 3


async def test_whatever_goes_wrong_a_look_is_a_look_that_fails(
    table: TenantTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise AttributeError("an integer has no items")

    monkeypatch.setattr(table, "look", fail)
    with capture_logs() as logs:
        assert not await table.look_once()
    assert [line["event"] for line in logs] == ["tenants_unreadable"]


async def test_another_configuration_is_taken_with_the_state_that_redis_holds(
    table: TenantTable, redis: Redis, addresses: Addresses
) -> None:
    await write_state(redis, addresses, "acme", STATE)
    await table.look()
    told: list[tuple[Tenant, Tenant]] = []
    table.changed.add(lambda before, after: told.append((before, after)))
    table.configure({"acme": replace(ACME, hosts=("new.test",)), "gamma": Tenant("gamma", stage="legacy")})
    acme = table.get("acme")
    assert acme == replace(ACME, hosts=("new.test",), stage="drain", share=30, v2_routing="global", version=3)
    assert acme is not None
    assert acme.names.id_map == STATE.id_map
    assert [after.name for _, after in told] == ["acme", "gamma"]
    assert table.of_host("acme.test") is None


async def test_a_tenant_that_is_configured_no_more_is_not_found_again_until_it_is(
    table: TenantTable, redis: Redis, addresses: Addresses, here: set[str]
) -> None:
    await write_state(redis, addresses, "acme", STATE)
    here.add("acme")
    await table.look()
    table.configure({"beta": Tenant("beta")})
    for _ in range(3):
        await table.look()
        assert table.get("acme") is None
    assert await read_state(redis, addresses, "acme") == replace(STATE, ids_version=None)
    table.configure({"acme": ACME})
    await table.look()
    acme = table.get("acme")
    assert acme is not None
    assert (acme.stage, acme.version) == ("drain", 3)


async def test_what_is_read_while_the_configuration_changes_is_read_again(
    table: TenantTable, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_state(redis, addresses, "acme", STATE)
    read = read_state

    async def read_and_configure(*asked: object) -> TenantState:
        state = await read(*asked)  # type: ignore[arg-type]
        table.configure({"acme": replace(ACME, hosts=("new.test",))})
        return state

    monkeypatch.setattr(tenant_table_module, "read_state", read_and_configure)
    await table.look()
    monkeypatch.undo()
    await table.look()
    acme = table.get("acme")
    assert acme is not None
    assert (acme.hosts, acme.stage) == (("new.test",), "drain")
