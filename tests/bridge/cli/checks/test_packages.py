"""What the doctor says about what is installed."""

import importlib.metadata
import json
from pathlib import Path

import pytest

from bridge.cli.checks import packages
from bridge.cli.checks.finding import Finding
from tests.bridge.cli.running import run_apart

FINE = "pytest>=1"


def finding(monkeypatch: pytest.MonkeyPatch, *required: str) -> Finding:
    """What is said where the project requires this."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: [*required])
    return next(finding for finding in packages.look() if finding.check == "packages")


@pytest.mark.parametrize(
    "requirement",
    [
        FINE,
        "pytest<1000,>=9.2",
        "pytest[extra]>=9",
        "pytest",
        'nobody-has-this>=1; extra == "test"',
        f"pytest=={importlib.metadata.version('pytest')}",
    ],
)
def test_a_requirement_that_is_met_is_well(monkeypatch: pytest.MonkeyPatch, requirement: str) -> None:
    assert finding(monkeypatch, requirement).level == "ok"


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("nobody-has-this>=1", "nobody-has-this is not installed"),
        ("pytest>=1000", "and should be >=1000"),
        ("pytest<=1.0", "and should be <=1.0"),
        ("pytest<2,>1", "and should be <2,>1"),
    ],
)
def test_a_requirement_that_is_not_met_is_named(monkeypatch: pytest.MonkeyPatch, requirement: str, said: str) -> None:
    found = finding(monkeypatch, FINE, requirement)
    assert found.level == "fail"
    assert found.said.endswith(said)


def test_sources_that_are_not_installed_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PROJECT", "nobody-has-this")
    assert [found.level for found in packages.look()][1] == "warn"


def test_an_old_python_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "OLDEST_PYTHON", (99, 0))
    assert next(packages.look()).level == "fail"


def socketio(found_first: Path) -> dict[str, str]:
    """What a doctor says of `socketio` that finds this directory before all others."""
    place = {"PYTHONPATH": str(found_first), "BRIDGE_DATA_DIR": str(found_first)}
    ended = run_apart("doctor", "--json", environment=place)
    return next(finding for finding in json.loads(ended.stdout) if finding["check"] == "socketio")


def test_the_dead_package_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "socketio").mkdir()
    (tmp_path / "socketio/__init__.py").touch()
    (tmp_path / "socketio-0.2.1.dist-info").mkdir()
    metadata = tmp_path / "socketio-0.2.1.dist-info/METADATA"
    metadata.write_text("Metadata-Version: 2.1\nName: socketio\nVersion: 0.2.1\n")
    found = socketio(tmp_path)
    assert found["level"] == "fail"
    assert "the package socketio 0.2.1 has written over python-socketio" in found["said"]
    assert "pip uninstall socketio" in found["remedy"]


def test_a_module_of_nobody_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "socketio.py").touch()
    found = socketio(tmp_path)
    assert (found["level"], str(tmp_path / "socketio.py") in found["said"]) == ("fail", True)


def test_a_module_where_the_package_is_not_installed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MODULE", "json")
    monkeypatch.setattr(packages, "LIVING_PACKAGE", "nobody-has-this")
    assert [finding.level for finding in packages.look()][-1] == "fail"


def test_the_living_package_or_none_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert socketio(tmp_path)["level"] == "ok"
    monkeypatch.setattr(packages, "MODULE", "nobody_has_this")
    assert [finding.level for finding in packages.look()][-1] == "ok"
