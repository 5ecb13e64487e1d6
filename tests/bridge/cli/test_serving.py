"""What `aether-bridge serve` does, and where it cannot."""

import json
import resource
import socket

import pytest

from bridge.system.open_files import LEAST
from tests.bridge.cli.running import run, sentence
from tests.conftest import StartBridge

pytestmark = pytest.mark.usefixtures("loggers_as_they_were")


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(run("serve", "--port", str(port), "--redis", "redis://127.0.0.1:1/0"))
    assert said.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert said.endswith("choose another with --port or --host")


def test_too_few_open_files_are_one_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    said = sentence(run("serve", "--port", "0", "--redis", "redis://127.0.0.1:1/0"))
    assert said.startswith(f"64 open files are too few, {LEAST} the least that a bridge starts with: raise the limit ")


def test_a_data_dir_that_another_bridge_uses_is_one_sentence(bridge: StartBridge) -> None:
    data = bridge(redis=None).directory / "data"
    assert f"another bridge runs its private server in {data}" in sentence(
        run("serve", "--port", "0", "--data-dir", data)
    )


def test_a_relative_data_dir_is_found_again_from_the_same_working_directory(
    bridge: StartBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bridge(redis=None, environment={"BRIDGE_DATA_DIR": "private"}).directory)
    assert "default" in run("tenants", "list", "--data-dir", "private").stdout


@pytest.mark.parametrize("workers", [1, 2])
def test_each_line_is_one_json_object_from_start_to_end(bridge: StartBridge, workers: int) -> None:
    running = bridge("--workers", str(workers))
    assert running.terminate() == 0
    lines = [json.loads(line) for line in running.log.splitlines()]
    started = next(line for line in lines if line["event"] == "started")
    assert (started["address"], started["workers"]) == (running.url, workers)
    events = [line["event"] for line in lines]
    assert events.count("stopping") == events.count("stopped") == workers
