"""Checks of the installation: Python, and the packages that the bridge needs."""

import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from typing import Final

from packaging.requirements import Requirement

from bridge.cli.checks.finding import Finding, bad, ok, warn

PROJECT: Final = "aether-bridge"
OLDEST_PYTHON: Final = (3, 11)


def look() -> Iterator[Finding]:
    """Findings about Python and its packages."""
    yield _python()
    yield _packages()


def _python() -> Finding:
    said = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
    if sys.version_info < OLDEST_PYTHON:
        return bad("python", said, "install Python 3.11 or newer")
    return ok("python", said)


def _packages() -> Finding:
    try:
        required = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:
        return warn(
            "packages", "run from sources, so versions cannot be compared", "install the project (`make run` does)"
        )
    problems = [problem for requirement in required if (problem := _problem(requirement)) is not None]
    if problems:
        return bad("packages", "; ".join(problems), "install the pinned versions: `make run`, or the lock with pip")
    return ok("packages", f"all {len(required)} requirements of {PROJECT} that apply here are met")


def _problem(text: str) -> str | None:
    """Why a requirement such as `redis<8.2,>=8.1` is not met; `None` if it is met or does not apply here."""
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return None
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name} is {installed} and should be {requirement.specifier}"
