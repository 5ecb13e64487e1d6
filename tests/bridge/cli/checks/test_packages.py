"""What the doctor says about what is installed."""

import importlib.metadata

import pytest

from bridge.cli.checks import packages
from bridge.cli.checks.finding import Finding

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
