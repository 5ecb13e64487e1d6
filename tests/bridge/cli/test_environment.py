"""`aether-bridge environment`, and deploy/env.example, which is what it prints."""

import pytest

from bridge.config.settings import Settings, load
from tests.bridge.cli.running import run
from tests.servers import PROJECT

EXAMPLE = PROJECT / "deploy" / "env.example"


def test_the_example_is_what_the_settings_say() -> None:
    """`aether-bridge environment > deploy/env.example` writes it anew."""
    assert run("environment").stdout == EXAMPLE.read_text()


def test_what_is_configured_here_is_not_in_it() -> None:
    assert run("environment", environment={"BRIDGE_JWT_SECRET": "hush"}).stdout == EXAMPLE.read_text()


def test_each_line_uncommented_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.removeprefix("#") for line in EXAMPLE.read_text().splitlines() if line.startswith("#BRIDGE_")]
    for name, value in (line.split("=", 1) for line in lines):
        monkeypatch.delenv(name, raising=False)
        if value and name != "BRIDGE_CONFIG":
            monkeypatch.setenv(name, value)
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    assert {name: getattr(load(), name) for name in defaults} == defaults
