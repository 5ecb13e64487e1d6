"""Checks of the installation: Python, the packages that the bridge needs, and the dead package `socketio`.

That package would overwrite `python-socketio`: both install the module `socketio`.
"""

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from bridge.cli.checks.finding import Finding, bad, ok, warn

PROJECT: Final = "aether-bridge"
OLDEST_PYTHON: Final = (3, 11)
MODULE: Final = "socketio"
DEAD_PACKAGE: Final = "socketio"
LIVING_PACKAGE: Final = "python-socketio"


def look() -> Iterator[Finding]:
    """Findings about Python, its packages, and what `import socketio` finds."""
    yield _python()
    yield _packages()
    yield _socketio()


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


def _socketio() -> Finding:
    spec = importlib.util.find_spec(MODULE)
    if spec is None:
        return ok("socketio", f"{LIVING_PACKAGE} is not installed: there is no Socket.IO door")
    try:
        dead = importlib.metadata.version(DEAD_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return _living_socketio(spec.origin or "")
    return bad(
        "socketio",
        f"the package {DEAD_PACKAGE} {dead} has written over {LIVING_PACKAGE}, or will",
        f"pip uninstall {DEAD_PACKAGE} {LIVING_PACKAGE}, then install {LIVING_PACKAGE} again",
    )


def _living_socketio(origin: str) -> Finding:
    """Whether the module at `origin` belongs to `python-socketio`."""
    try:
        living = importlib.metadata.distribution(LIVING_PACKAGE)
        if Path(origin).resolve() == Path(str(living.locate_file(f"{MODULE}/__init__.py"))).resolve():
            return ok("socketio", f"{LIVING_PACKAGE} {living.version}")
    except importlib.metadata.PackageNotFoundError:
        pass
    remedy = f"rename it, or take it out of the path, so that {LIVING_PACKAGE} can be found"
    return bad("socketio", f"`import {MODULE}` finds {origin}, which is not {LIVING_PACKAGE}", remedy)
