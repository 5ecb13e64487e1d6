"""What is kept from others: passwords from whoever reads a log or a report, data from whoever has an account here."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.clients import eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, key, token, with_key
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked
from tests.ports import free_port
from tests.servers import PROJECT

PASSWORD = "open-sesame"


@pytest.fixture(scope="module")
def config() -> str:
    """Of a server of keys that is not there."""
    address = f"http://bridge:{PASSWORD}@127.0.0.1:{free_port()}/jwks"
    return QUIET + key("acme", "acme") + f'[jwt]\nalgorithms = ["ES256"]\njwks_url = "{address}"\n'


async def the_log_names_no_password(bridge: Attacked) -> None:
    await refused(bridge, v3_path("home", "ann", f"{with_key('acme')}&jwt={token(headers={'kid': 'any'})}"))

    async def is_logged() -> bool:
        return "keys_unreachable" in bridge.log

    await eventually(is_logged)
    assert PASSWORD not in bridge.log


async def test_no_line_of_the_log_names_a_password(attacked: StartAttacked, config: str) -> None:
    await the_log_names_no_password(attacked(config=config))


async def test_where_nothing_is_cut_out_one_does(attacked: StartAttacked, config: str) -> None:
    bridge = attacked(config=config, without="redaction")
    with pytest.raises(AssertionError, match=PASSWORD):
        await the_log_names_no_password(bridge)


def the_doctor_names_no_password(config: str, directory: Path, *program: str) -> None:
    file = directory / "bridge.toml"
    file.write_text(config)
    command = [sys.executable, "-m", *program, "doctor", "--config", str(file), "--data-dir", str(directory / "data")]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60).stdout
    assert "is not fetched over https" in said
    assert PASSWORD not in said


def test_the_doctor_names_no_password(config: str, tmp_path: Path) -> None:
    the_doctor_names_no_password(config, tmp_path, "bridge.cli.main")


def test_where_nothing_is_cut_out_the_doctor_does(config: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=PASSWORD):
        the_doctor_names_no_password(config, tmp_path, "tests.hostile.undefended", "redaction")


@contextlib.contextmanager
def in_an_open_directory(directory: Path, without: str | None = None) -> Iterator[Path]:
    """Where a bridge keeps the data of its private server, in a directory that everyone could look into."""
    data = directory / "data"
    data.mkdir(mode=0o755)
    bridge = Attacked(directory / "bridge", config=QUIET, environment={"BRIDGE_DATA_DIR": str(data)})
    bridge.without = without
    bridge.start()
    try:
        yield data
    finally:
        bridge.close()


def others_are_kept_out(data: Path) -> None:
    assert data.stat().st_mode & 0o077 == 0


def test_nobody_else_looks_into_the_private_servers_data(tmp_path: Path) -> None:
    with in_an_open_directory(tmp_path) as data:
        others_are_kept_out(data)


def test_where_the_directory_is_left_as_it_is_everybody_does(tmp_path: Path) -> None:
    with in_an_open_directory(tmp_path, without="closed directory") as data, pytest.raises(AssertionError):
        others_are_kept_out(data)
