"""`aether-bridge doctor`."""

import json
import re
from pathlib import Path
from typing import Any

from tests.bridge.cli.running import run
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.configuration import key

LINE = re.compile(r"(ok|warn|fail)  +\S.*")


def by_check(output: str) -> dict[str, dict[str, Any]]:
    """The findings of `--json`."""
    return {finding["check"]: finding for finding in json.loads(output)}


def test_each_finding_is_one_line_and_a_remedy_follows(tmp_path: Path) -> None:
    result = run("doctor", "--data-dir", tmp_path)
    *lines, blank, count = result.stdout.splitlines()
    assert result.exit_code == 0
    assert all(LINE.fullmatch(line) for line in lines)
    assert blank == ""
    assert re.fullmatch(r"\d+ ok, \d+ to know, 0 to mend", count)
    assert "\x1b" not in result.stdout


def test_a_failure_is_status_1(tmp_path: Path) -> None:
    result = run("doctor", "--json", "--redis", "redis://127.0.0.1:1/0", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert by_check(result.stdout)["redis"]["level"] == "fail"


def test_settings_that_cannot_be_used_are_a_failure_and_the_last_finding(tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text('port = "x"\nburst = 0\n')
    result = run("doctor", "--json", "--config", config)
    findings = json.loads(result.stdout)
    assert (result.exit_code, findings[-1]["check"], findings[-1]["level"]) == (1, "settings", "fail")
    assert "port: " in findings[-1]["said"]
    assert "burst: " in findings[-1]["said"]


def test_a_folder_in_place_of_the_file_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    result = run("doctor", "--json", "--config", tmp_path)
    found = by_check(result.stdout)["settings"]
    assert (result.exit_code, found["level"]) == (1, "fail")
    assert found["said"].startswith(f"{tmp_path}: this is a folder")
    assert "bridge.example.toml" in found["said"]


def test_a_file_without_a_public_key_is_a_failure(tmp_path: Path) -> None:
    file, config = tmp_path / "key.pem", tmp_path / "bridge.toml"
    file.write_text("no key")
    config.write_text(f'[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "{file}"\n')
    result = run("doctor", "--json", "--config", config)
    found = by_check(result.stdout)["settings"]
    assert (result.exit_code, found["level"]) == (1, "fail")
    assert "holds no PEM public key for RS256" in found["said"]


def test_what_does_not_stand_well_has_a_remedy(redis_server: StartRedis, tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(key("all", "*"))
    result = run("doctor", "--json", "--config", config, "--redis", redis_server().url)
    findings = json.loads(result.stdout)
    assert {finding["level"] for finding in findings} == {"ok", "warn"}
    assert all(bool(finding["remedy"]) == (finding["level"] != "ok") for finding in findings)


def test_a_running_bridge_on_the_same_redis_is_noticed(bridge: StartBridge, redis_url: str, prefix: str) -> None:
    bridge()
    result = run("doctor", "--json", environment={"BRIDGE_REDIS_URL": redis_url, "BRIDGE_PREFIX": prefix})
    assert by_check(result.stdout)["processes"]["said"].startswith("1 bridge processes run")


def test_the_private_server_of_a_running_bridge_is_looked_at(bridge: StartBridge, prefix: str) -> None:
    data = bridge(redis=None).directory / "data"
    found = by_check(run("doctor", "--json", "--data-dir", data, environment={"BRIDGE_PREFIX": prefix}).stdout)
    assert (found["redis"]["level"], found["persistence"]["level"], found["processes"]["level"]) == ("ok", "ok", "ok")
