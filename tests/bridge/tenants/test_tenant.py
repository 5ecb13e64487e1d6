from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.share import bucket_hundredths, share_in
from bridge.tenants.tenant import Tenant, TenantState, deprecation_headers, state_in, successor_path
from compat.dialect import Dialect, Rule


@given(st.text(max_size=128), st.integers(0, 10_000))
def test_a_drained_share_is_refused_v2_and_the_rest_is_not(client_id: str, hundredths: int) -> None:
    refused = Tenant("acme", stage="drain", share=share_in(f"{hundredths / 100:.2f}")).refuses_v2(client_id)
    assert refused == ("moved_to_v3" if bucket_hundredths(client_id) < hundredths else None)


@given(st.text(max_size=128), st.integers(0, 9_999))
def test_whoever_moved_stays_moved_as_the_share_grows(client_id: str, hundredths: int) -> None:
    shares = hundredths / 100, (hundredths + 1) / 100
    less, more = (Tenant("acme", stage="drain", share=one).refuses_v2(client_id) for one in shares)
    assert less is None or more == "moved_to_v3"


def test_a_client_moves_at_the_first_hundredth_above_its_bucket() -> None:
    """The CRC-32 of `42` is 841,265,288: bucket 88.52."""
    refused = [Tenant("acme", stage="drain", share=share).refuses_v2("42") for share in (88, 88.52, 88.53, 89)]
    assert refused == [None, None, "moved_to_v3", "moved_to_v3"]


def test_a_generated_client_moves_last() -> None:
    assert Tenant("acme", stage="drain", share=99.99).refuses_v2(None) is None
    assert Tenant("acme", stage="drain", share=100).refuses_v2(None) == "moved_to_v3"


@pytest.mark.parametrize(
    ("stage", "v2", "v3"),
    [("legacy", None, "stage_legacy"), ("bridge", None, None), ("drain", None, None), ("v3", "v2_retired", None)],
)
def test_a_stage_refuses_one_side_or_none(stage: Any, v2: str | None, v3: str | None) -> None:
    tenant = Tenant("acme", stage=stage)
    assert (tenant.refuses_v2("42"), tenant.refuses_v3()) == (v2, v3)


@pytest.mark.parametrize("stage", ["legacy", "bridge"])
def test_the_share_is_ignored_outside_of_drain(stage: Any) -> None:
    assert Tenant("acme", stage=stage, share=100).refuses_v2("42") is None


@pytest.mark.parametrize(
    ("called", "name"), [("ann", "ann"), ("v2-42", "Xk3dQ"), ("v2-a_20b", "v2-a_20b"), ("v2-a_zz", None), ("a b", None)]
)
def test_a_client_has_one_name_whatever_it_is_called(called: str, name: str | None) -> None:
    assert Tenant("acme").with_state(TenantState(1, id_map={"42": "Xk3dQ"})).resolve(called) == name


@given(st.text(max_size=80) | st.from_regex(r"v2-[a-z0-9_]{1,20}", fullmatch=True))
def test_what_v2_has_not_named_is_called_as_it_is_or_is_no_name(called: str) -> None:
    tenant = Tenant("acme").with_state(TenantState(1, id_map={"dev_1": "Xk3dQ"}))
    assert tenant.resolve(called) == tenant.names.resolve(called)


def test_what_redis_holds_wins_over_the_configuration() -> None:
    dialect = Dialect({"reload": Rule(cmd="RELOAD_UI")})
    configured = Tenant("acme", "drain", 10, "global", hosts=("a.example",), sunset=date(2027, 1, 1), dialect=dialect)
    tenant = configured.with_state(TenantState(7, "drain", 0, "group", {"42": "Xk3dQ"}))
    assert (tenant.stage, tenant.share, tenant.v2_routing, tenant.version) == ("drain", 0, "group", 7)
    assert tenant.names.name_of(42) == "Xk3dQ"
    assert (tenant.name, tenant.hosts, tenant.sunset) == ("acme", ("a.example",), date(2027, 1, 1))
    assert tenant.dialect is dialect


def test_what_redis_was_never_told_stays_as_configured() -> None:
    tenant = Tenant("acme", "drain", 10, "group").with_state(TenantState(1))
    assert (tenant.stage, tenant.share, tenant.v2_routing) == ("drain", 10, "group")
    assert tenant.names.name_of(42) == "v2-42"


def test_the_share_of_the_configuration_is_forgotten_with_its_drain() -> None:
    configured = Tenant("acme", "drain", 10)
    assert configured.with_state(TenantState(1, "bridge")).share == 0
    assert configured.with_state(TenantState(1, "drain")).share == 10


def test_guards_in_redis_are_obeyed_instead_of_the_configured_ones() -> None:
    configured = Tenant("acme", guard=GuardRules(quiet_days=7))
    live = GuardRules(stashed_percent=2)
    assert configured.with_state(TenantState(1, guards=live)).guard == live
    assert configured.with_state(TenantState(1)).guard == configured.guard


def test_an_id_map_that_is_not_one_to_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="one name, one person"):
        Tenant("acme").with_state(TenantState(1, id_map={"1": "Ab", "2": "Ab"}))


def test_the_state_is_read_from_redis() -> None:
    fields = {"version": "12", "stage": "drain", "share": "40", "v2_routing": "group", "unknown": "x"}
    assert state_in(fields, {"42": "Xk3dQ"}) == TenantState(12, "drain", 40, "group", {"42": "Xk3dQ"})
    assert state_in({}, {}) == TenantState(0)
    assert state_in({"stage": "drain", "share": "12.25"}, {}) == TenantState(0, "drain", 12.25)


@pytest.mark.parametrize("stage", ["legacy", "bridge", "v3"])
def test_a_share_that_was_kept_outside_of_drain_is_forgotten(stage: Any) -> None:
    assert state_in({"stage": stage, "share": "50"}, {}) == TenantState(0, stage)


@pytest.mark.parametrize(
    "state",
    [TenantState(3), TenantState(4, "drain", 12.25, "group", {}, 2, GuardRules(lost_percent=5, grace_seconds=1))],
    ids=lambda state: f"version {state.version}",
)
def test_a_state_is_read_back_from_its_fields(state: TenantState) -> None:
    assert state_in({name: str(value) for name, value in state.fields().items()}, {}) == state


@pytest.mark.parametrize(
    "fields",
    [
        {"stage": "cutover", "share": "101", "v2_routing": "Global", "version": "x"},
        {"stage": "", "share": "", "v2_routing": "", "version": ""},
        {"share": "-1", "version": "-1"},
        {"share": "1.5", "version": "²"},
        {"share": "9" * 5000, "version": "9" * 5000},
        {"share": " 5", "version": "0x5"},
        {"guards": "[]"},
        {"guards": '{"quiet_days": -1}'},
    ],
)
def test_what_makes_no_sense_counts_as_never_set(fields: dict[str, str]) -> None:
    assert state_in(fields, {}) == TenantState(0)


def test_the_successor_is_the_path_in_v3() -> None:
    assert successor_path("lobby", "v2-42") == "/v3/ws/group/lobby/client/v2-42"


def test_a_tenant_without_dates_announces_nothing() -> None:
    assert deprecation_headers(Tenant("acme"), "/v3") == {}


def test_dates_are_announced_with_the_successor() -> None:
    tenant = Tenant("acme", deprecated=date(2026, 12, 1), sunset=date(2027, 6, 30))
    assert deprecation_headers(tenant, "/v3/x") == {
        "Deprecation": "@1796083200",
        "Sunset": "Wed, 30 Jun 2027 00:00:00 GMT",
        "Link": '</v3/x>; rel="successor-version"',
    }


@pytest.mark.parametrize(
    ("tenant", "names"),
    [
        (Tenant("acme", deprecated=date(2026, 12, 1)), {"Deprecation", "Link"}),
        (Tenant("acme", sunset=date(2027, 6, 30)), {"Sunset", "Link"}),
    ],
)
def test_one_date_is_announced_alone(tenant: Tenant, names: set[str]) -> None:
    assert deprecation_headers(tenant, "/v3").keys() == names
