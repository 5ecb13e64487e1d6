"""What holds for every command."""

import pytest

from tests.bridge.cli.running import run, run_apart

COMMANDS = (
    ("serve",),
    ("tenants", "list"),
    ("tenants", "show"),
    ("tenants", "ids"),
    ("convert",),
    ("audit",),
    ("keys", "new"),
    ("doctor",),
    ("schema",),
)


@pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
def test_help_teaches_with_an_example(command: tuple[str, ...]) -> None:
    assert f"  aether-bridge {' '.join(command)}" in run(*command, "--help").stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_in_a_pipe_has_no_colours(command: tuple[str, ...]) -> None:
    assert "\x1b" not in run(*command, "--help").output


def test_without_a_command_it_lists_them() -> None:
    listed = run().output
    assert all(command[0] in listed for command in COMMANDS)
    assert "environment" not in listed  # made for deploy/env.example; nobody else needs it


def test_a_wrong_command_line_is_status_2() -> None:
    assert run("convert", "sideways").exit_code == 2


def test_a_process_of_its_own_does_the_same() -> None:
    assert run_apart("schema").stdout.decode() == run("schema").stdout
