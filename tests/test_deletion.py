"""What README.md says of taking V2 or Socket.IO out: its own commands are run on a copy, and a V3 bridge is left.

What is left imports, has no undefined names and correct types, and serves V3.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from tests.documents import README, ROOT
from tests.end_to_end.clients import client, v3_path
from tests.servers import BridgeProcess

PACKAGES = ("bridge", "compat", "legacy_v2", "v3")
COMMANDS = dict(
    zip(("v2", "socketio"), re.findall(r"```sh\n(rm .*?)```", README.read_text(), re.DOTALL), strict=True),
)
ALONE = (
    "import importlib, os, runpy, sys; here = ('', os.getcwd()); "
    "sys.path = [path for path in sys.path if path in here or not os.path.isdir(os.path.join(path, 'bridge'))]; "
)
"""The tree that was copied may be installed: it is not found any more."""
IMPORT = f"{ALONE} [importlib.import_module(name) for name in sys.argv[1:]]"
RUN = f"{ALONE} sys.argv[0] = 'aether-bridge'; runpy.run_module('bridge.cli.main', run_name='__main__')"
HELLO = {"msg_type": "msg", "target": "group", "msg": "hi"}


class LeftBridge(BridgeProcess):
    """`aether-bridge serve` from a copy of the tree, with nothing of the tree it was copied from."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", RUN, *super().command()]

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        return self.popen(log, stderr=subprocess.STDOUT)

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.directory)}


def copy_of_the_tree(directory: Path) -> Path:
    """The packages, and what their tools read. mypy judges anew only what differs from its last run on the tree."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", directory)
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", directory / ".mypy_cache")
    return directory


def without(what: str, directory: Path) -> Path:
    """A copy of the tree, after README's commands."""
    tree = copy_of_the_tree(directory)
    done = subprocess.run(["sh", "-ec", COMMANDS[what]], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return tree


def complaints(tree: Path) -> str:
    """What mypy says of the packages that are left. An import of what is gone, and an undefined name, are among it."""
    packages = [package for package in PACKAGES if (tree / package).is_dir()]
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *packages]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False).stdout


def module_names(tree: Path) -> list[str]:
    files = (path.relative_to(tree).with_suffix("") for package in PACKAGES for path in (tree / package).rglob("*.py"))
    return sorted(".".join(file.parts).removesuffix(".__init__") for file in files)


@contextmanager
def serving(tree: Path, redis_url: str, prefix: str, *options: str) -> Iterator[LeftBridge]:
    bridge = LeftBridge(tree, "--redis", redis_url, *options, config=f'prefix = "{prefix}"', environment={})
    bridge.start()
    try:
        yield bridge
    finally:
        bridge.close()


async def test_v3_is_left_when_v2_is_gone(tmp_path: Path, redis_url: str, prefix: str) -> None:
    tree = without("v2", tmp_path)
    assert complaints(tree) == ""
    with serving(tree, redis_url, prefix, "--socketio") as bridge:
        async with client(bridge, v3_path("lobby", "ann")) as ann, client(bridge, v3_path("lobby", "bob")) as bob:
            await ann.say({**HELLO, "target": "direct", "to_id": "bob"})
            assert (await bob.hear())["msg"] == "hi"
        async with httpx.AsyncClient(base_url=bridge.url) as http:
            assert (await http.post("/v3/messages", json={**HELLO, "group_id": "lobby"})).status_code == 202
            assert (await http.get("/v3/presence/group/lobby")).json() == {"group_id": "lobby", "members": []}
            assert (await http.get("/ws/group/lobby/client/42")).status_code == 404


async def test_both_protocols_are_left_when_socketio_is_gone(tmp_path: Path, redis_url: str, prefix: str) -> None:
    tree = without("socketio", tmp_path)
    assert complaints(tree) == ""
    with serving(tree, redis_url, prefix) as bridge:
        async with client(bridge, v3_path("lobby", "ann")) as ann, client(bridge, "/ws/group/lobby/client/42") as old:
            await ann.say(HELLO)
            assert (await old.hear())["msg"] == "hi"


def imported(tree: Path) -> str:
    """What Python says on standard error when it imports each module that is left."""
    command = [sys.executable, "-c", IMPORT, *module_names(tree)]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("what", COMMANDS)
def test_what_is_left_imports(what: str, tmp_path: Path) -> None:
    assert imported(without(what, tmp_path)) == ""


def test_without_its_room_and_its_doors_nothing_else_of_socketio_needs_to_go(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    shutil.rmtree(tree / "bridge" / "socketio")
    for package in ("legacy_v2", "v3"):
        (tree / package / "socketio_door.py").unlink()
    assert imported(tree) == ""


def test_what_is_not_marked_is_noticed(tmp_path: Path) -> None:
    """Where an import from V2 has no mark, what is left does not import."""
    tree = without("v2", tmp_path)
    with (tree / "bridge" / "messaging" / "gaps.py").open("a") as file:
        file.write("from legacy_v2.frames import BRIDGE\n")
    assert "No module named 'legacy_v2'" in imported(tree)
