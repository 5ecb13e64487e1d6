"""What the README tells a newcomer to type does what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.documents import README, ROOT
from tests.servers import BridgeProcess

SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEARD = re.compile(r"^  (\w+) hears +(\{.*\})$", re.MULTILINE)
SAID = re.compile(r"^(\w+) says +(\{.*\})$", re.MULTILINE)
README_PORT = "8000"


class MadeToRun(BridgeProcess):
    """`make run`, as the README has it, on a port of the test's own. What is installed stays as it is."""

    def begin(self, log: object) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as file:
            return self.popen(file, stderr=subprocess.STDOUT)

    def command(self) -> list[str]:
        return ["make", "--directory", str(ROOT), "--old-file=.venv/runtime", "run", f"PORT={self.port}"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeToRun]:
    directory = tmp_path_factory.mktemp("readme")
    started = MadeToRun(directory, environment={"BRIDGE_DATA_DIR": str(directory / "data")})
    started.start()
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGINT)  # Ctrl-C, as the README has it
        started.process.wait(30)


def blocks(beginning: str) -> list[str]:
    """The shell blocks of the README whose first line begins so."""
    return [block for block in SHELL.findall(README.read_text()) if block.startswith(beginning)]


def as_regular_expression(text: str) -> str:
    return ".*".join(map(re.escape, text.split("…")))


@contextmanager
def terminal(command: str, made: MadeToRun) -> Iterator[subprocess.Popen[str]]:
    """One of the newcomer's terminals, in the project's folder; it is connected."""
    typed = command.replace(README_PORT, str(made.port)).split()
    pipe = subprocess.PIPE
    with subprocess.Popen(typed, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as one:
        try:
            until(one.stdout, "Connected to ws://")
            yield one
        finally:
            one.kill()


def until(output: IO[str] | None, words: str) -> None:
    """Return once a line of `output` matches the regular expression."""
    assert output is not None
    assert any(re.search(words, line) for line in output), f"ended without {words}"


def test_a_newcomer_sees_both_clients_hear_both_messages(made: MadeToRun) -> None:
    readme = README.read_text()
    commands = {command.rsplit("/", 1)[1].strip(): command for command in blocks(".venv/bin/python -m websockets")}
    with ExitStack() as ends:
        terminals = {name: ends.enter_context(terminal(command, made)) for name, command in commands.items()}
        for said in SAID.finditer(readme):
            print(said[2], file=terminals[said[1]].stdin, flush=True)
            for listener, heard in HEARD.findall(readme, said.end())[: len(terminals)]:
                until(terminals[listener].stdout, as_regular_expression(heard))


def test_a_backend_speaks_and_asks_with_the_commands_of_the_readme(made: MadeToRun) -> None:
    (block,) = blocks("curl")
    script = block.replace(README_PORT, str(made.port)).replace("curl", "curl --silent --show-error --fail")
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r'\{"ok":true,"sent_at":"[^"]+"\}.*\{"group_id":"lobby","members":\[', done.stdout, re.DOTALL)


def test_the_commands_of_the_readme_are_there() -> None:
    (block,) = blocks("make")
    for command in re.findall(r"^make (\w+)", block, re.MULTILINE):
        subprocess.run(["make", "--dry-run", command], cwd=ROOT, check=True, capture_output=True)


def test_the_newcomers_page_is_served(made: MadeToRun, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    subprocess.run(["curl", "--silent", "--fail", "--output", page, made.url], check=True, timeout=60)
    assert "<html" in page.read_text()
