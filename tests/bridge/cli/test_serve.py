"""The options of `aether-bridge serve`, and settings with which it cannot."""

from pathlib import Path

import pytest

from tests.bridge.cli.running import run, sentence

pytestmark = pytest.mark.usefixtures("loggers_as_they_were")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "0.0.0.0"\n', "no keys are configured, so anyone who reaches 0.0.0.0 could connect"),
        ("unknown = 1\n", "unknown: "),
        ("port = \n", "bridge.toml: "),
    ],
)
def test_settings_that_cannot_be_used_are_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(text)
    assert said in sentence(run("serve", "--config", config))


@pytest.mark.parametrize(
    ("options", "text", "environment"),
    [
        (("--socketio", "--workers", "2"), "", {}),
        (("--workers", "2"), "socketio = true\n", {}),
        (("--socketio",), "", {"BRIDGE_WORKERS": "2"}),
        ((), "socketio = true\nworkers = 2\n", {}),
        ((), "", {"BRIDGE_SOCKETIO": "true", "BRIDGE_WORKERS": "2"}),
    ],
)
def test_socketio_with_several_workers_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, options: tuple[str, ...], text: str, environment: dict[str, str]
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(text)
    said = sentence(run("serve", "--config", config, *options, environment=environment))
    assert "socketio needs workers = 1, since a Socket.IO session lives in one process" in said
    assert said.endswith(
        "start several commands instead, each on a port of its own, behind the sticky route of deploy/nginx.conf"
    )


@pytest.mark.parametrize("command", [("serve",), ("tenants", "list")])
@pytest.mark.parametrize("option", ["foo=bar", "protocol=9"])
def test_an_option_that_redis_cannot_have_is_one_sentence(command: tuple[str, ...], option: str) -> None:
    name, _, _ = option.partition("=")
    said = sentence(run(*command, "--redis", f"redis://127.0.0.1:1/0?{option}"))
    assert said.startswith("redis_url: ")
    assert repr(name) in said


def test_a_configuration_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert sentence(run("serve", "--config", tmp_path / "missing.toml")).endswith("missing.toml: no such file")
    assert sentence(run("serve", "--config", tmp_path)).startswith(f"{tmp_path}: this is a folder")
