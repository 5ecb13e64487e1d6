"""deploy/bridge.example.toml: it can be started from as it stands, and so can each of its options."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from bridge.config.settings import SettingsError, load
from bridge.config.tables import Jwt, Key, TenantSettings
from tests.bridge.cli.running import run
from tests.conftest import StartBridge
from tests.servers import PROJECT

EXAMPLE = PROJECT / "deploy" / "bridge.example.toml"
OPTION = re.compile(r"^#(?=\[|[a-z0-9_.]+ = )", re.MULTILINE)


@pytest.fixture(autouse=True)
def no_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_JWT_SECRET", raising=False)


def with_every_option() -> str:
    return OPTION.sub("", EXAMPLE.read_text())


def test_doctor_accepts_it(tmp_path: Path) -> None:
    result = run("doctor", "--config", EXAMPLE, "--data-dir", tmp_path)
    assert (result.exit_code, "fail" in result.stdout) == (0, False)


def test_a_bridge_starts_with_it_and_nobody_is_let_in_yet(bridge: StartBridge) -> None:
    started = bridge(config=EXAMPLE.read_text())
    answer = httpx.get(f"{started.url}/v3/presence/group/lobby", headers={"X-Api-Key": "a guess"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_each_of_its_options_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(with_every_option())
    settings = load(file)
    assert settings.socketio
    assert settings.jwt is not None
    assert settings.tenants["acme"].hosts


def test_it_has_every_option_of_a_tenant_a_key_and_a_token_but_the_guards() -> None:
    elsewhere = {"share", "guard"}  # the first is of no use in a file, the second is CUTOVER.md's
    for table in (TenantSettings, Key, Jwt):
        for name in table.model_fields.keys() - elsewhere:
            assert re.search(rf"\b{name}\b", EXAMPLE.read_text()), name


def test_a_word_that_it_does_not_know_would_be_refused(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(with_every_option().replace("account_claim", "acount_claim"))
    with pytest.raises(SettingsError, match="acount_claim"):
        load(file)
