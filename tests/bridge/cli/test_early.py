"""A hangup while a bridge is imported."""

import subprocess
import sys

import pytest

from tests.servers import PROJECT

PROGRAM = "import sys; sys.argv[1:] = [COMMAND]; import bridge.cli.early, signal; print(signal.getsignal(1).name)"


@pytest.mark.parametrize(("command", "handling"), [("serve", "SIG_IGN"), ("doctor", "SIG_DFL"), ("", "SIG_DFL")])
def test_it_does_not_end_a_bridge_and_ends_other_commands(command: str, handling: str) -> None:
    program = PROGRAM.replace("COMMAND", repr(command))
    said = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, check=True, timeout=60)
    assert said.stdout.decode().strip() == handling


def test_the_command_line_imports_it_before_all_else() -> None:

    text = (PROJECT / "bridge/cli/main.py").read_text()
    assert text.index("import early") < text.index("import typer")
