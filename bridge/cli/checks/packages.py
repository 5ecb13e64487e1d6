"""What is installed: Python, and the packages that the bridge needs."""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator
from typing import Final

from bridge.cli.checks.finding import Finding, bad, ok, warn

PROJECT: Final = "aether-bridge"
OLDEST_PYTHON: Final = (3, 11)

_REQUIREMENT: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?P<bounds>[^;]*)(?:;(?P<marker>.*))?")
_BOUND: Final = re.compile(r"(>=|<=|==|<|>)\s*([0-9.]+)")


def look() -> Iterator[Finding]:
    """Python and its packages."""
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


def _problem(requirement: str) -> str | None:
    """Why a requirement such as `redis<8.2,>=8.1` is not met; `None` where it is, or does not apply here."""
    match = _REQUIREMENT.match(requirement)
    marker = match["marker"] if match is not None else None
    if match is None or "extra" in (marker or "") or (marker and platform.system() == "Windows"):
        return None
    name, bounds = match["name"], match["bounds"].strip()
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if all(_holds(installed, sign, bound) for sign, bound in _BOUND.findall(bounds)):
        return None
    return f"{name} is {installed} and should be {bounds}"


def _holds(installed: str, sign: str, bound: str) -> bool:
    have, limit = _numbers(installed), _numbers(bound)
    length = max(len(have), len(limit))
    have, limit = (numbers + (0,) * (length - len(numbers)) for numbers in (have, limit))
    return {
        ">=": have >= limit,
        "<=": have <= limit,
        "==": have == limit,
        "<": have < limit,
        ">": have > limit,
    }[sign]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", re.match(r"[0-9.]*", version)[0]))  # type: ignore[index]
