"""Clients that generators make of `/openapi.json`: they compile under strict rules, and work.

`generated/` holds what somebody writes who uses them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.conftest import StartBridge
from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.machine import NODE_MODULES, generator_program, node_program, npm_package
from tests.servers import BridgeProcess

pytestmark = pytest.mark.timeout(240)  # compilers have much to read

CONFIG = (
    QUIET
    + "[tenants.acme]\n"
    + key("acme", "acme")
    + key("boss", "acme").replace("broadcast", "admin = true\nbroadcast")
)
USES = Path(__file__).parent / "generated"
WHAT_IT_DOES = {
    "ok": True,
    "refused": [404, "not_connected"],
    "members": ["ann"],
    "stranger": [401, "unauthenticated"],
    "tenants": ["acme"],
    "dry_run": 200,
}
STRICT = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node")


@pytest.fixture(scope="module")
def server(module_bridge: StartBridge) -> Iterator[BridgeProcess]:
    """A bridge with one client in the lobby."""
    started = module_bridge(config=CONFIG)
    with connect(f"ws://127.0.0.1:{started.port}{v3_path('lobby', 'ann', with_key('acme'))}", proxy=None):
        yield started


def run(folder: Path, *command: str | Path) -> str:
    """What it prints, once it has ended well."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def credentials(server: BridgeProcess) -> tuple[str, str, str]:
    return server.url, api_key("acme"), api_key("boss")


def test_types_of_openapi_typescript_are_strict_and_true(server: BridgeProcess, tmp_path: Path) -> None:
    node, programs = node_program(), npm_package("openapi-typescript").parent / ".bin"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(USES / "uses_typescript.ts", tmp_path)
    run(tmp_path, node, programs / "openapi-typescript", f"{server.url}/openapi.json", "--output", "api.d.ts")
    run(tmp_path, node, programs / "tsc", *STRICT, "uses_typescript.ts")
    assert json.loads(run(tmp_path, node, "uses_typescript.js", *credentials(server))) == WHAT_IT_DOES


def test_the_client_of_openapi_python_client_is_whole_and_works(server: BridgeProcess, tmp_path: Path) -> None:
    made = run(tmp_path, generator_program(), "generate", "--url", f"{server.url}/openapi.json", *NAMED)
    assert "arning" not in made
    shutil.copy(USES / "uses_python.py", tmp_path)
    run(tmp_path, sys.executable, "-m", "mypy", "--config-file", "/dev/null", "uses_python.py")
    assert json.loads(run(tmp_path, sys.executable, "uses_python.py", *credentials(server))) == WHAT_IT_DOES


NAMED = ("--meta", "none", "--output-path", "api")
