"""What `[budget]` may say."""

from pathlib import Path
from typing import Any

import pytest

from bridge.budget.accounts import Allowance
from bridge.config.budget import BudgetTable
from bridge.config.settings import Settings, SettingsError, load


def loaded(tmp_path: Path, text: str) -> BudgetTable:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    return load(file).budget


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    budget, usual = loaded(tmp_path, "[budget.tenant]\nmilliseconds = 7.5"), BudgetTable()
    assert budget.tenant.allowance == Allowance(usual.tenant.bytes, usual.tenant.frames, 7.5)
    assert (budget.key, budget.connection) == (usual.key, usual.connection)


def test_each_amount_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_BUDGET__CONNECTION__FRAMES", "12")
    assert load().budget.connection.frames == 12


def test_the_rates_of_a_tenant_are_its_own_or_those_of_each_where_there_are_several() -> None:
    own: Any = {"acme": {"budget": {"messages": 7}}, "free": {"budget": {"messages": 0, "handshakes": 0}}, "other": {}}
    budget: Any = {"tenant": {"messages": 5, "handshakes": 3}}
    settings = Settings(tenants=own, budget=budget)
    names = ("acme", "free", "other", "elsewhere")
    assert [settings.rates_of(name, 2) for name in names] == [(7, 3), (0, 0), (5, 3), (5, 3)]
    assert [settings.rates_of(name, 1) for name in names] == [(7, 0), (0, 0), (0, 0), (0, 0)]


@pytest.mark.parametrize(
    "text",
    [
        "[tenants.acme.budget]\nmessages = -1",
        "[tenants.acme.budget]\nmilliseconds = 1",
        "[budget.connection]\nmessages = 1",
        "[budget.tenant]\nseconds = 1",
        "[budget.client]\nbytes = 1",
        "[budget.key]\nbytes = -1",
        "[budget]\nturn_milliseconds = 0",
    ],
)
def test_what_is_no_budget_is_a_mistake(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="budget"):
        loaded(tmp_path, text)
