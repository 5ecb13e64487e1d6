"""`aether-bridge --version`."""

from importlib.metadata import PackageNotFoundError

import pytest

from bridge.cli import about
from tests.bridge.cli.running import run


def test_it_says_its_version() -> None:
    assert run("--version").stdout.startswith("aether-bridge")


def test_the_version_is_that_of_the_package_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "version", {"aether-bridge": "1.2.3"}.__getitem__)
    assert run("--version").output == "aether-bridge 1.2.3\n"


def test_where_none_is_installed_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(about, "version", unknown)
    result = run("--version")
    assert (result.exit_code, result.output) == (0, "aether-bridge, run from its sources: no version is installed\n")


def test_whoever_asks_for_the_version_gets_nothing_else_done() -> None:
    result = run("--version", "convert", "sideways")
    assert (result.exit_code, result.stderr, len(result.stdout.splitlines())) == (0, "", 1)
