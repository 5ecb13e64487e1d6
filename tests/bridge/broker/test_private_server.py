"""The private server: it lives with its command, dies with it, and keeps its data between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.broker import private_server as embedded_module
from bridge.broker.addresses import Addresses
from bridge.broker.private_server import EmbeddedError, PrivateServer, find_url
from bridge.tenants.stored_state import write_state
from bridge.tenants.tenant import TenantState
from tests.conftest import StartBridge
from tests.servers import PROJECT

PATIENT_SECONDS = 30.0
COMMAND = """
import sys, time
from pathlib import Path
from bridge.broker.private_server import PrivateServer
with PrivateServer(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


def wait_until(holds: Callable[[], Any], seconds: float = PATIENT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "state" / "of a bridge"


class Command:
    """Another process that runs the private server."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(data_dir)], stdout=subprocess.PIPE, cwd=PROJECT, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def command(data_dir: Path) -> Iterator[Command]:
    command = Command(data_dir)
    yield command
    if command.process.poll() is None:
        command.end(signal.SIGKILL)
        wait_until(lambda: find_url(data_dir) is None)


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def test_it_answers_on_a_socket_in_the_data_directory_and_nowhere_else(data_dir: Path) -> None:
    with PrivateServer(data_dir) as server:
        assert server.url == find_url(data_dir)
        with client(server.url) as asking:
            assert asking.config_get("port") == {"port": "0"}
            assert asking.config_get("appendonly") == {"appendonly": "yes"}
        assert (data_dir / "valkey.sock").is_socket()
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert (data_dir / "valkey.sock").stat().st_mode & 0o077 == 0
    assert find_url(data_dir) is None
    assert not (data_dir / "valkey.sock").exists()


def test_its_data_outlive_it(data_dir: Path) -> None:
    with PrivateServer(data_dir) as server, client(server.url) as asking:
        asking.hset("aether:tenant:acme:ids", "42", "Xk3")
    with PrivateServer(data_dir) as server, client(server.url) as asking:
        assert asking.hgetall("aether:tenant:acme:ids") == {"42": "Xk3"}


@pytest.mark.parametrize("name", ["x" * 100 + "/" + "y" * 100, "50%20 of? #it", "ü"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    with PrivateServer(data_dir) as server:
        assert server.url == find_url(data_dir)
        with client(server.url) as asking:
            assert asking.ping()
        real = (data_dir / "valkey.sock").resolve()
    assert find_url(data_dir) is None
    assert not real.exists()
    assert list(data_dir.glob("*.sock")) == []
    assert real.parent == data_dir or not real.parent.exists()


def test_a_second_one_in_the_same_directory_is_refused_with_a_sentence(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_module, "LOCK_SECONDS", 0.1)
    with PrivateServer(data_dir) as server:
        with pytest.raises(EmbeddedError, match=r"another bridge runs its private server in .*--redis URL.*--data-dir"):
            PrivateServer(data_dir).__enter__()
        with client(server.url) as asking:
            assert asking.ping()


def test_it_ends_when_its_command_is_killed(data_dir: Path, command: Command) -> None:
    with client(command.url) as asking:
        pid = asking.info("server")["process_id"]
        asking.set("k", "kept")
    command.end(signal.SIGKILL)
    wait_until(lambda: find_url(data_dir) is None)
    wait_until(lambda: not Path(f"/proc/{pid}/exe").exists())


def test_after_its_command_was_killed_the_next_one_starts_at_once_with_its_data(
    data_dir: Path, command: Command
) -> None:
    """The old server may be about to end still: two must never write the same files."""
    with client(command.url) as asking:
        asking.set("k", "kept")
    command.end(signal.SIGKILL)
    with PrivateServer(data_dir) as server, client(server.url) as asking:
        assert asking.get("k") == "kept"
        time.sleep(0.2)
        assert asking.ping()


def test_the_directory_stays_locked_for_as_long_as_the_server_lives(
    data_dir: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_module, "LOCK_SECONDS", 0.2)
    with client(command.url) as asking:
        pid = asking.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        command.end(signal.SIGKILL)
        with pytest.raises(EmbeddedError, match="another bridge"):
            PrivateServer(data_dir).__enter__()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not Path(f"/proc/{pid}/exe").exists())


def test_a_server_that_dies_is_started_again(data_dir: Path) -> None:
    with PrivateServer(data_dir) as server:
        with client(server.url) as asking:
            asking.set("k", "kept")
            pid = asking.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: find_url(data_dir) is None)
        wait_until(lambda: find_url(data_dir))
        with client(server.url) as asking:
            assert asking.get("k") == "kept"


def test_a_server_that_does_not_end_is_killed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_module, "STOP_SECONDS", 0.2)
    with PrivateServer(data_dir) as server, client(server.url) as asking:
        pid = asking.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: not Path(f"/proc/{pid}/exe").exists())


def test_a_server_that_cannot_start_is_a_sentence_that_names_its_log(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_module, "START_SECONDS", 0.3)
    monkeypatch.setattr(embedded_module, "get_binary_path", lambda: shutil.which("false"))
    with pytest.raises(EmbeddedError, match=r"did not start; see .*valkey\.log"):
        PrivateServer(data_dir).__enter__()


@pytest.mark.parametrize("spoiled", ["directory", "lock"])
def test_a_directory_that_cannot_be_used_is_a_sentence(tmp_path: Path, spoiled: str) -> None:
    data_dir = tmp_path / "data"
    if spoiled == "directory":
        data_dir.write_text("a file")
    else:
        (data_dir / "lock").mkdir(parents=True)
    with pytest.raises(EmbeddedError, match=r"data: .*choose another with --data-dir"):
        PrivateServer(data_dir).__enter__()


def test_where_none_runs_there_is_no_address(tmp_path: Path) -> None:
    assert find_url(tmp_path) is None
    assert find_url(tmp_path / "missing") is None


async def test_a_restart_of_the_command_keeps_what_its_tenants_are(
    bridge: StartBridge, tmp_path: Path, prefix: str
) -> None:
    data_dir, addresses = tmp_path / "data", Addresses(prefix)
    state = TenantState(version=1, stage="drain", share=20, id_map={"42": "Xk3"})
    environment = {"BRIDGE_DATA_DIR": str(data_dir)}
    first = bridge(redis=None, environment=environment)
    url = find_url(data_dir)
    assert url is not None
    async with redis.asyncio.Redis.from_url(url) as asking:
        await write_state(asking, addresses, "default", state)
    assert first.terminate() == 0
    assert find_url(data_dir) is None

    second = bridge(redis=None, environment=environment)
    third = bridge(redis=None, environment=environment, wait=False)
    assert third.wait_for_end() == 1
    assert "another bridge runs its private server" in third.log
    with client(find_url(data_dir) or "") as asking:
        assert asking.hgetall(addresses.id_map("default")) == {"42": "Xk3"}
        assert asking.hget(addresses.tenant("default"), "stage") == "drain"
    assert second.is_running


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o701])
def test_a_directory_that_others_may_look_into_is_closed_to_them(data_dir: Path, mode: int) -> None:
    with PrivateServer(data_dir):
        pass
    data_dir.chmod(mode)
    with PrivateServer(data_dir) as server, redis.Redis.from_url(server.url) as client:
        client.set("name", "value")
        assert data_dir.stat().st_mode & 0o777 == 0o700
        made = [each for each in data_dir.rglob("*") if each.parent != data_dir]
        assert made
        assert not [each for each in made if each.stat().st_mode & 0o077]


def test_a_directory_that_holds_other_things_is_left_alone_with_a_sentence(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    (data_dir / "thesis.tex").touch()
    data_dir.chmod(0o755)
    with pytest.raises(EmbeddedError, match=r"thesis\.tex.*chmod 700"), PrivateServer(data_dir):
        pass
    assert data_dir.stat().st_mode & 0o777 == 0o755
    data_dir.chmod(0o700)
    with PrivateServer(data_dir) as server:
        assert find_url(data_dir) == server.url
