"""Signals while a bridge is imported."""

import subprocess
import sys

import pytest

from tests.servers import PROJECT

PROGRAM = """
import signal, sys
sys.argv[1:] = [COMMAND]
signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python begins where nobody has them ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import bridge.cli.early
hangup, interrupt = map(signal.getsignal, (signal.SIGHUP, signal.SIGINT))
bridge.cli.early.import_is_over()
print(hangup.name, getattr(interrupt, "name", "exception"), getattr(signal.getsignal(2), "name", "exception"))
"""


@pytest.mark.parametrize(
    ("command", "handling"),
    [("serve", "SIG_IGN SIG_DFL exception"), ("doctor", "SIG_DFL exception exception")],
)
def test_a_hangup_does_not_end_a_bridge_and_an_interrupt_says_nothing(command: str, handling: str) -> None:
    program = PROGRAM.replace("COMMAND", repr(command))
    said = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, check=True, timeout=60)
    assert said.stdout.decode().strip() == handling


def test_the_command_line_imports_it_before_all_else() -> None:
    text = (PROJECT / "bridge/cli/main.py").read_text()
    assert text.index("import early") < text.index("import typer")
