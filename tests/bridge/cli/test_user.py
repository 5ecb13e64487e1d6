"""Who runs a command."""

import getpass
import socket

import pytest

from bridge.cli.user import who


def test_it_is_the_user_at_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert who() == f"ann@{socket.gethostname()}"


@pytest.mark.parametrize("problem", [OSError, KeyError])
def test_a_user_without_a_name_is_somebody(monkeypatch: pytest.MonkeyPatch, problem: type[Exception]) -> None:
    def nameless() -> str:
        raise problem

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert who().startswith("somebody@")
