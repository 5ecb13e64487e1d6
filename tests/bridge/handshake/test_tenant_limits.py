"""What a tenant may have of one process, by the settings. That others are served meanwhile is in `tests/hostile/`."""

from __future__ import annotations

from typing import Any

from bridge.budget.shares import Owner
from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.tenant_limits import NO_PLACE, TOO_OFTEN, TenantLimits
from bridge.records.refused_clients import NO_TENANT

MANY = 10_000
TWO: dict[str, Any] = {"rowdy": {}, "calm": {}}
ONE: dict[str, Any] = {"rowdy": {}}


def key(name: str) -> Key:
    return Key(name=name, sha256=name[0] * 64, tenants=("*",))


def settings(**given: Any) -> Settings:
    """With two keys for all tenants, and two tenants unless others are given."""
    return Settings(**{"tenants": TWO, "keys": (key("a"), key("b")), **given})


def limits(most_connections: int = MANY, **given: Any) -> TenantLimits:
    whole = settings(**given)
    return TenantLimits(whole, most_connections, ApiKeys(whole.keys))


def of(tenant: str) -> Owner:
    return Owner(tenant, tenant, "192.0.2.1")


def handshakes(of_limits: TenantLimits, tenant: str, times: int) -> int:
    """How many of so many are let in, where each connection ends at once."""
    number = 0
    for _ in range(times):
        if of_limits.let_in(of(tenant)) is None:
            of_limits.shares.give_back(of(tenant))
            number += 1
    return number


def numbers(of_limits: TenantLimits) -> dict[tuple[str, ...], float]:
    (metric,) = of_limits.metrics()
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def test_without_a_bound_a_tenant_has_its_share() -> None:
    of_limits = limits(10)
    for _ in range(8):
        assert of_limits.let_in(of("rowdy")) is None
    assert of_limits.let_in(of("rowdy")) == NO_PLACE["share"]
    assert of_limits.let_in(of("calm")) is None
    assert numbers(of_limits) == {("rowdy", "connections", "share"): 1}


def test_a_tenants_own_bound_stands_in_place_of_that_of_each() -> None:
    tenants = {"rowdy": {"max_connections": 1}, "calm": {}, "free": {"max_connections": 0}}
    of_limits = limits(max_connections_per_tenant=2, tenants=tenants)
    told = {name: [of_limits.let_in(of(name)) for _ in range(3)] for name in tenants}
    no = NO_PLACE["tenant"]
    assert told == {"rowdy": [None, no, no], "calm": [None, None, no], "free": [None] * 3}
    assert numbers(of_limits) == {("rowdy", "connections", "tenant"): 2, ("calm", "connections", "tenant"): 1}
    of_limits.shares.give_back(of("rowdy"))
    assert of_limits.let_in(of("rowdy")) is None


def test_who_gets_no_place_has_not_used_up_a_handshake() -> None:
    of_limits = limits(max_connections_per_tenant=1, budget={"tenant": {"handshakes": 1}})
    assert [of_limits.let_in(of("rowdy")) for _ in range(9)] == [None] + [NO_PLACE["tenant"]] * 8
    assert ("rowdy", "handshakes", "tenant") not in numbers(of_limits)
    of_limits.shares.give_back(of("rowdy"))
    assert of_limits.let_in(of("rowdy")) == TOO_OFTEN


def test_whoever_comes_when_all_places_are_taken_is_counted() -> None:
    of_limits = limits(1)
    assert not of_limits.is_full()
    of_limits.shares.take(of("rowdy"))
    assert [of_limits.is_full(), of_limits.is_full()] == [True, True]
    assert numbers(of_limits) == {(NO_TENANT, "connections", "process"): 2}


def test_as_many_handshakes_may_come_at_once_as_there_may_be_connections() -> None:
    tenants: Any = {"rowdy": {}, "calm": {"max_connections": 20}, "fast": {"budget": {"handshakes": 40}}}
    of_limits = limits(50, max_connections_per_tenant=30, tenants=tenants, budget={"tenant": {"handshakes": 1}})
    assert [handshakes(of_limits, name, 100) for name in tenants] == [30, 20, 40]
    assert numbers(of_limits)["calm", "handshakes", "tenant"] == 80


def test_by_default_all_clients_of_a_process_may_come_back_at_once() -> None:
    for tenants in (TWO, ONE):
        assert handshakes(limits(tenants=tenants), "rowdy", MANY) == MANY


def test_one_tenant_alone_is_bound_by_its_own_limits_and_by_those_of_the_process() -> None:
    each = {"tenant": {"handshakes": 1, "messages": 1}}
    assert handshakes(limits(5, tenants=ONE, budget=each), "rowdy", 100) == 100
    own = {"rowdy": {"budget": {"handshakes": 1}}}
    assert handshakes(limits(5, tenants=own), "rowdy", 100) == 5
    assert handshakes(limits(5, tenants=ONE, budget={"process": {"handshakes": 1}}), "rowdy", 100) < 15


def test_messages_of_a_second_may_come_at_once_and_a_tenant_may_have_its_own_number() -> None:
    tenants: Any = {"rowdy": {}, "calm": {"budget": {"messages": 3}}, "free": {"budget": {"messages": 0}}}
    of_limits = limits(tenants=tenants, budget={"tenant": {"messages": 2}})
    spent = {name: sum(of_limits.messages.of(name).spend(1_000.0) for _ in range(9)) for name in tenants}
    assert spent == {"rowdy": 2, "calm": 3, "free": 9}
    assert numbers(of_limits)["rowdy", "messages", "tenant"] == 7


def test_other_settings_count_at_once() -> None:
    of_limits = limits()
    assert handshakes(of_limits, "rowdy", 20) == 20
    assert of_limits.let_in(of("rowdy")) is None
    tenants = {"rowdy": {"max_connections": 1, "budget": {"handshakes": 1, "messages": 1}}, "calm": {}}
    of_limits.configure(settings(tenants=tenants), 10, 2)
    assert of_limits.let_in(of("rowdy")) == NO_PLACE["tenant"]
    of_limits.shares.give_back(of("rowdy"))
    assert handshakes(of_limits, "rowdy", 20) == 1
    assert [of_limits.messages.of("rowdy").spend(1_000.0) for _ in range(2)] == [True, False]


def test_another_key_has_places_shared_among_keys() -> None:
    keys = ApiKeys((key("a"),))
    of_limits = TenantLimits(settings(tenants=ONE, keys=(key("a"),)), 10, keys)
    for _ in range(8):
        assert of_limits.let_in(Owner("rowdy", "a", "192.0.2.1")) is None
    keys.take_of_file((key("a"), key("b")))
    assert of_limits.let_in(Owner("rowdy", "a", "192.0.2.1")) == NO_PLACE["share"]
    assert of_limits.let_in(Owner("rowdy", "b", "192.0.2.1")) is None


async def test_a_connection_has_a_rate_of_its_own_and_those_of_its_tenant() -> None:
    of_limits = limits(messages_per_second=1, burst=2, tenants={"rowdy": {"budget": {"messages": 3}}, "calm": {}})
    first, second = (of_limits.new_meter("rowdy") for _ in range(2))
    assert [first.spend() for _ in range(3)] == ["within", "within", "over"]
    assert [second.spend() for _ in range(2)] == ["within", "over"]
    of_limits.configure(settings(messages_per_second=0), MANY, 2)
    assert {one.spend() for one in (first, second) for _ in range(9)} == {"within"}
