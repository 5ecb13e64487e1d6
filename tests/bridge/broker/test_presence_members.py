"""Who is in a group, asked once for many: on no Redis at all, since what it answers is for other tests."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bridge.broker import presence_members as module
from bridge.broker.presence_members import (
    FRESH_SECONDS,
    HOLDERS_AT_ONCE,
    MOST_HOLDERS,
    MembersOfGroups,
    add_members,
    as_json,
)

GROUP = ("acme", "lobby")
HOLDER = b"ann:p1:v3:1767225600000000"
ANN = [[HOLDER], b""]
MEMBER = {"client_id": "ann", "protocol": "v3", "since": "2026-01-01T00:00:00.000000Z"}


class Asked:
    """A clock, the questions that were put to Redis, and the answers that were given."""

    def __init__(self) -> None:
        self.now = 100.0
        self.questions: list[Callable[[Any], None]] = []
        self.answers: list[bytes | None] = []
        self.after: list[bytes] = []
        self.members = MembersOfGroups(self._ask, lambda: self.now)

    def _ask(self, _group: tuple[str, str], after: bytes, answered: Callable[[Any], None]) -> None:
        self.after.append(after)
        self.questions.append(answered)

    def ask(self, group: tuple[str, str] = GROUP) -> None:
        self.members.ask(group, self.answers.append)


def test_who_asks_meanwhile_gets_the_same_answer() -> None:
    asked = Asked()
    asked.ask()
    asked.ask()
    assert (len(asked.questions), asked.answers) == (1, [])
    asked.questions[0](ANN)
    asked.ask()
    assert len(asked.questions) == 1
    first, second, third = asked.answers
    assert first is second is third
    assert json.loads(first or b"") == [MEMBER]


def test_an_answer_is_fresh_for_a_quarter_of_a_second() -> None:
    asked = Asked()
    asked.ask()
    asked.questions[0](ANN)
    asked.now += FRESH_SECONDS
    asked.ask()
    asked.questions[1]([[], b""])
    assert asked.answers[1] == b"[]"


def test_who_comes_after_a_change_is_answered_anew() -> None:
    asked = Asked()
    asked.ask()
    asked.members.forget(GROUP)
    asked.ask()
    asked.questions[0]([[], b""])
    assert asked.answers == [b"[]"]
    asked.questions[1](ANN)
    assert json.loads(asked.answers[1] or b"") == [MEMBER]


@pytest.mark.parametrize("reply", [None, ValueError("LOADING")])
def test_no_answer_is_not_remembered(reply: object) -> None:
    asked = Asked()
    asked.ask()
    asked.questions[0](reply)
    asked.ask()
    asked.questions[1](ANN)
    assert asked.answers[0] is None
    assert asked.answers[1] is not None


def test_no_answer_to_an_old_question_ends_no_newer_one() -> None:
    asked = Asked()
    asked.ask()
    asked.members.forget(GROUP)
    asked.ask()
    asked.questions[0](None)
    asked.ask()
    assert len(asked.questions) == 2


def test_answers_and_askers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ANSWERS", 2)
    monkeypatch.setattr(module, "MOST_ASKERS", 2)
    asked = Asked()
    for _ in range(3):
        asked.ask()
    assert asked.answers == [None]
    for name in ("a", "b", "lobby"):
        asked.ask(("acme", name))
    assert len(asked.questions) == 4


def test_of_a_clients_connections_the_oldest_counts() -> None:
    members: dict[str, Any] = {}
    add_members(members, [b"ann:p1:v3:1767225600000001", HOLDER, b"ann:p2:v2:1767225600000002", b"nonsense"])
    assert json.loads(as_json(members)) == [MEMBER]


def test_a_large_group_is_asked_for_a_part_at_a_time() -> None:
    asked = Asked()
    asked.ask()
    asked.questions[0]([[b"bob:p1:v3:1"], b"bob:p1:v3:1"])
    assert (asked.after, asked.answers) == ([b"", b"bob:p1:v3:1"], [])
    asked.questions[1](ANN)
    assert [member["client_id"] for member in json.loads(asked.answers[0] or b"")] == ["ann", "bob"]


def test_of_a_group_without_end_so_much_is_told() -> None:
    """As a neighbour in Redis may make one."""
    asked = Asked()
    asked.ask()
    while not asked.answers:
        asked.questions[-1]([[b"%b%d:p1:v3:1" % (b"x", len(asked.questions))], b"more"])
    assert len(asked.questions) == MOST_HOLDERS // HOLDERS_AT_ONCE
    assert len(json.loads(asked.answers[0] or b"")) == len(asked.questions)


def test_a_part_without_an_answer_is_none_at_all() -> None:
    asked = Asked()
    asked.ask()
    asked.questions[0]([[HOLDER], HOLDER])
    asked.questions[1](None)
    assert asked.answers == [None]
