"""Whose words a command about V2 speaks."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import Result

from bridge.cli.dialect import DialectOption, dialect_rules, read_dialect
from bridge.cli.options import ConfigOption
from bridge.config.settings import load
from compat.dialect import STANDARD
from tests.bridge.cli.running import run, sentence

app = typer.Typer()


@app.command()
def words(context: typer.Context, config: ConfigOption = None, tenant: DialectOption = None) -> None:
    """A command that says which words it has beside the standard ones."""
    typer.echo(" ".join(sorted(read_dialect(context, config, tenant).words - STANDARD.words)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "bridge.toml"
    file.write_text('[tenants.acme]\ndialect.caption = { field = "msg" }\n[tenants.other]\n')
    return file


def said(*arguments: str | Path, config: Path | str = "") -> Result:
    """`config` is the file that the environment names."""
    return run(*arguments, environment={"BRIDGE_CONFIG": str(config)} if config else {}, program=app)


def test_without_a_tenant_the_standard_words_are_spoken(file: Path) -> None:
    assert said().output == "\n"
    assert said(config=file).output == "\n"


def test_a_tenants_own_words_are_spoken_too(file: Path) -> None:
    assert said("--config", file, "--tenant", "acme").output == "caption\n"
    assert said("--tenant", "acme", config=file).output == "caption\n"


def test_a_configuration_that_is_named_without_a_tenant_says_no_dialect(file: Path) -> None:
    assert "name the tenant" in sentence(said("--config", file))


def test_a_tenant_that_is_not_configured_is_named_and_so_are_those_that_are(file: Path) -> None:
    answer = sentence(said("--config", file, "--tenant", "nobody"))
    assert answer == "no tenant 'nobody' is configured: name one of acme, default, other"


def test_the_rules_of_a_tenant_are_those_of_the_configuration(file: Path) -> None:
    settings = load(file)
    assert dialect_rules(settings, "acme") == {"caption": {"field": "msg"}}
    assert dialect_rules(settings, "other") == dialect_rules(settings, "nobody") == {}
