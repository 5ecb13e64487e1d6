"""What the doctor says about the machine."""

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.checks import machine
from bridge.cli.checks.finding import Finding
from bridge.config.settings import Settings
from bridge.runtime.limits import FILES_BESIDE_CONNECTIONS
from bridge.system.open_files import LEAST


def findings(**settings: Any) -> dict[str, Finding]:
    """What is said, by check."""
    return {finding.check: finding for finding in machine.look(Settings(**settings))}


def test_more_connections_than_open_files_allow_is_a_failure() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    found = findings(max_connections=most)["open files"]
    assert found.level == "fail"
    assert f"`ulimit -n {most + FILES_BESIDE_CONNECTIONS}`" in found.remedy


def test_as_many_as_open_files_allow_are_well() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_BESIDE_CONNECTIONS
    assert findings(max_connections=most)["open files"].level == "ok"


def test_few_open_files_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    found = findings()["open files"]
    assert (found.level, found.said) == ("warn", "1024 a process allow 768 connections")


def test_too_few_open_files_to_start_with_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (LEAST - 1, LEAST - 1))
    assert findings()["open files"].level == "fail"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (LEAST - 1, LEAST))  # `serve` raises it by itself
    assert findings()["open files"].level == "warn"


def test_a_data_dir_that_can_be_made_is_well(tmp_path: Path) -> None:
    assert findings(data_dir=tmp_path / "a/b")["data_dir"].said.endswith("can be made")
    assert findings(data_dir=tmp_path)["data_dir"].said.endswith("can be written to")


def test_a_data_dir_below_a_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = findings(data_dir=tmp_path / "file/data")["data_dir"]
    assert (found.level, found.said) == ("fail", f"{tmp_path / 'file'} is no directory")


def test_a_data_dir_without_rights_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # whoever runs the tests may be root
    assert findings(data_dir=tmp_path)["data_dir"].level == "fail"


def test_the_private_server_can_be_run() -> None:
    assert findings()["private server"].level == "ok"


def test_a_private_server_that_cannot_be_run_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "get_binary_path", lambda: tmp_path / "missing")
    assert findings()["private server"].level == "fail"


def test_where_a_redis_is_named_only_open_files_matter() -> None:
    assert findings(redis_url="redis://127.0.0.1:1/0").keys() == {"open files"}
