"""Whatever a V3 client sends, in any order, and whatever becomes of it: each message has one fate, and one alone.

Clocks jump; answers of Redis come late, in another order or not at all; the client floods, its tenant's stage flips,
and its connection ends while answers are still on their way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.v3 import ports
from tests.v3.texts import texts
from v3.messages import WS_Message_V3
from v3.ports import Grant, Guest, Pace
from v3.refusals import FLOODED, REFUSALS

pytestmark = [pytest.mark.fuzz, pytest.mark.no_cover]  # each line is covered by what is tried once

SECOND = 1_000_000


@dataclass(eq=False)
class Fate:
    """What became of one message: what its receipt was told, if it has one, and what the client was sent for it."""

    has_receipt: bool
    ends: list[str] = field(default_factory=list)

    def taken(self, _sent_at: str) -> None:
        self.ends.append("taken")

    def refused(self, payload: dict[str, Any]) -> None:
        assert payload["code"] in REFUSALS
        assert payload["msg"]
        self.ends.append("refused")


@dataclass
class Outside(ports.World):
    """Everything outside of the session. `stamps`: what it gave a time, in the order in which it did."""

    stamps: list[str] = field(default_factory=list)
    waiting: list[Callable[[bool], None]] = field(default_factory=list)
    """Answers that are on their way: call one to give it, good or bad."""

    def send(self, text: bytes) -> None:
        super().send(text)
        self.stamps.append(json.loads(text)["sent_at"])

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        super().close(code, reason, last)
        if last:
            self.stamps.append(json.loads(last)["sent_at"])

    def say(self, guest: Guest, content: Any, sent_at: str, answered: Callable[[int | None], None]) -> None:
        super().say(guest, content, sent_at, answered)
        self.stamps.append(sent_at)
        bad = 0 if content["target"] == "direct" else None
        self.waiting.append(lambda is_good: answered(1 if is_good else bad))

    def members(self, guest: Guest, answer: Callable[[bytes | None], None]) -> None:
        self.waiting.append(lambda is_good: answer(b"[]" if is_good else None))

    def cursor(self, guest: Guest, answer: Callable[[str | None], None]) -> None:
        self.waiting.append(lambda is_good: answer("@1" if is_good else None))


class Connection(RuleBasedStateMachine):
    """One connection and its client."""

    @initialize(grant=st.sampled_from(("none", "tenant", "platform")))
    def begin(self, grant: Grant) -> None:
        self.outside = Outside(aliases={"42": None, "v2-42": "Xk3dQ"}, told={"limits": lambda _guest, asked: asked})
        self.session, self.grant = self.outside.session(grant), grant
        self.unanswered: set[Fate] = set()
        self.held: list[tuple[Fate, set[Fate]]] = []
        """Echoes, each with what was said before it and is not answered yet."""

    def _counts(self) -> tuple[int, int, int]:
        return len(self.outside.said), len(self.outside.sent), len(self.outside.waiting)

    @precondition(lambda self: not self.outside.closed)
    @rule(text=texts(), has_receipt=st.booleans())
    def say(self, text: str, has_receipt: bool) -> None:  # noqa: FBT001
        """It is said, or comes back, or is refused, or waits for an answer, its own or that to what was said before."""
        fate, (said, sent, waiting) = Fate(has_receipt), self._counts()
        tallied = len(self.outside.tallied)
        self.session.receive(text, fate if has_receipt else None)
        now_said, now_sent, now_waiting = (
            after - before for after, before in zip(self._counts(), (said, sent, waiting), strict=True)
        )
        is_refused = len(self.outside.tallied) - tallied
        comes_back = now_sent - (is_refused if not has_receipt else 0)
        is_held = (now_waiting, comes_back, is_refused) == (0, 0, 0)
        assert is_held or (now_waiting, comes_back, is_refused) in {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
        assert now_said <= now_waiting
        if now_said:
            self.unanswered.add(fate)
        if is_held:
            assert self.unanswered
            self.held.append((fate, set(self.unanswered)))
        assert fate.ends == ["taken"] * (comes_back * has_receipt) + ["refused"] * (is_refused * has_receipt)
        if now_waiting:
            self.outside.waiting[-1] = partial(self._answer, fate, self.outside.waiting[-1])

    def _answer(self, fate: Fate, give: Callable[[bool], None], is_good: bool) -> None:  # noqa: FBT001
        sent = len(self.outside.sent)
        self.unanswered.discard(fate)
        for _, before in self.held:
            before.discard(fate)
        give(is_good)
        assert len(fate.ends) == fate.has_receipt
        come_back = [echo for echo, before in self.held if not before]
        assert all(echo.ends == ["taken"] * echo.has_receipt for echo in come_back)
        assert len(come_back) <= len(self.outside.sent) - sent <= len(come_back) + 1
        self.held = [(echo, before) for echo, before in self.held if before]
        assert not any(echo.ends for echo, _ in self.held)

    @precondition(lambda self: self.outside.waiting)
    @rule(data=st.data(), is_good=st.booleans())
    def answer(self, data: st.DataObject, is_good: bool) -> None:  # noqa: FBT001
        """Redis answers; also when the connection has ended."""
        self.outside.waiting.pop(data.draw(st.integers(0, len(self.outside.waiting) - 1)))(is_good)

    @rule(pace=st.sampled_from(("within", "within", "over", "far_over")))
    def hurry(self, pace: Pace) -> None:
        self.outside.pace = pace

    @rule(microseconds=st.sampled_from((-3600 * SECOND, -SECOND, -1, 0, 1, SECOND, 3600 * SECOND)))
    def set_the_clock(self, microseconds: int) -> None:
        self.outside.now += microseconds

    @precondition(lambda self: not self.outside.closed)
    @rule(code=st.sampled_from(sorted(code for code, refusal in REFUSALS.items() if refusal.close is not None)))
    def is_sent_away(self, code: str) -> None:
        """Its tenant's stage has flipped, the process stops, its token has expired, …"""
        self.session.refuse(code, retry_after_ms=5)
        assert self.outside.closed == [(REFUSALS[code].close, code)]
        assert json.loads(self.outside.sent[-1])["payload"]["code"] == code

    @invariant()
    def times_only_increase(self) -> None:
        assert all(before < after for before, after in pairwise(self.outside.stamps))

    @invariant()
    def only_a_flood_or_the_bridge_ends_it_and_once(self) -> None:
        assert len(self.outside.closed) <= 1
        assert all(code == FLOODED or code == REFUSALS[reason].close for code, reason in self.outside.closed)

    @invariant()
    def nobody_speaks_as_somebody_else(self) -> None:
        for said in self.outside.said[-1:]:
            line = WS_Message_V3.model_validate_json(said.line)
            assert (line.from_id, line.group_id, line.msg_type == "heartbeat") == ("bob", "lobby", False)
            assert line.target != "echo"
            assert (line.to_id is not None) == (line.target == "direct")
            assert line.to_id not in ("42", "v2-42")
            assert line.target != "broadcast" or self.grant != "none"
            assert line.cmd not in ("JOIN", "LEAVE") or line.msg_type != "presence"

    @invariant()
    def what_the_client_is_sent_is_a_message_to_it_alone(self) -> None:
        for text in self.outside.sent[-1:]:
            line = WS_Message_V3.model_validate_json(text)
            is_error = line.from_id == "server"
            assert line.group_id == "lobby"
            assert line.from_id in ("server", "bob")
            assert (
                (line.cmd, line.target) == ("ERROR", "echo")
                if is_error
                else line.target == "echo" or line.msg_type == "heartbeat"
            )


TestConnection = Connection.TestCase
TestConnection.settings = settings(stateful_step_count=30, suppress_health_check=[*HealthCheck])
