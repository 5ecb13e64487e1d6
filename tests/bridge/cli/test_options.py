"""What every command takes, and how one ends that cannot go on."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import Result

from bridge.cli.options import ConfigOption, RedisOption, fail, read_settings
from tests.bridge.cli.running import run, sentence

app = typer.Typer()


@app.command()
def show(config: ConfigOption = None, redis: RedisOption = None) -> None:
    """A command that says which settings it was given."""
    settings = read_settings(config, redis_url=redis)
    typer.echo(f"{settings.prefix} {settings.redis_url}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "bridge.toml"
    file.write_text('prefix = "staging"\nredis_url = "redis://127.0.0.1:6379/1"\n')
    return file


def shown(*arguments: str | Path, **environment: str) -> Result:
    return run(*arguments, environment=environment, program=app)


def test_a_command_that_cannot_go_on_says_why_and_ends_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail("no such thing")
    assert ended.value.exit_code == 1
    assert capsys.readouterr() == ("", "aether-bridge: no such thing\n")


def test_settings_are_those_of_the_file_where_no_option_says_otherwise(file: Path) -> None:
    assert shown("--config", file).output == "staging redis://127.0.0.1:6379/1\n"
    assert shown("--config", file, "--redis", "redis://other").output == "staging redis://other\n"


def test_the_file_may_be_named_in_the_environment(file: Path) -> None:
    assert shown(BRIDGE_CONFIG=str(file)).stdout.startswith("staging ")


def test_settings_that_cannot_be_used_end_the_command_and_each_is_named(file: Path) -> None:
    file.write_text('port = "x"\nburst = 0\n')
    result = shown("--config", file)
    assert (result.exit_code, result.stdout) == (1, "")
    first, second = result.stderr.splitlines()
    assert first.startswith("aether-bridge: ")
    assert {line.removeprefix("aether-bridge: ").partition(":")[0] for line in (first, second)} == {"port", "burst"}


def test_a_file_that_is_not_there_ends_the_command(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert sentence(shown("--config", missing)) == f"{missing}: no such file"
