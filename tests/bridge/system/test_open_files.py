"""How many files may be open, whatever the system says of it."""

import resource

import pytest

from bridge.system import open_files

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ((1_024, 4_096), (1_024, 4_096)),
        ((1_024, UNLIMITED), (1_024, open_files.MOST)),
        ((UNLIMITED, UNLIMITED), (open_files.MOST, open_files.MOST)),
    ],
)
def test_no_limit_is_many_and_not_none(
    monkeypatch: pytest.MonkeyPatch, said: tuple[int, int], meant: tuple[int, int]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: said)
    assert open_files.limits() == meant


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ((1_024, 4_096), [(4_096, 4_096)]),
        ((1_024, UNLIMITED), [(open_files.MOST, UNLIMITED)]),
        ((4_096, 4_096), []),
        ((UNLIMITED, UNLIMITED), []),
    ],
)
def test_as_many_are_asked_for_as_the_system_gives(
    monkeypatch: pytest.MonkeyPatch, said: tuple[int, int], asked: list[tuple[int, int]]
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: said)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: calls.append(limits))
    open_files.allow_most()
    assert calls == asked


def test_a_system_that_gives_no_more_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    open_files.allow_most()
