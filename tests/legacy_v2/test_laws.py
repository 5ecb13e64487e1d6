"""Whatever a V2 client sends, in any order, and whatever becomes of it: each frame is said as it is, or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from legacy_v2.ports import Pace
from legacy_v2.refusals import FLOODED, MOVED, REFUSALS
from tests.legacy_v2.ports import World

pytestmark = [pytest.mark.fuzz, pytest.mark.no_cover]  # each line is covered by what is tried once

SECOND = 1_000_000
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(("", "{", '{"msg":"hi"}', '{"bridge":1}', "[1]", "\x00", "\ud800"))
)
ENDS = sorted(code for code, refusal in REFUSALS.items() if refusal.close is not None)
LATER = sorted(code for code, refusal in REFUSALS.items() if refusal.close is None)


@dataclass(eq=False)
class Fate:
    """What the receipt of one frame was told."""

    ends: list[str] = field(default_factory=list)

    def taken(self, _sent_at: int) -> None:
        self.ends.append("taken")

    def refused(self, frame: dict[str, Any]) -> None:
        self.ends.append(frame["bridge"]["error"])


class Connection(RuleBasedStateMachine):
    """One connection and its client."""

    @initialize()
    def begin(self) -> None:
        self.outside = World()
        self.session = self.outside.session()
        self.waiting: list[tuple[int, Fate | None]] = []
        """Which frames were said and are not answered, with the receipt of each."""

    @precondition(lambda self: not self.outside.closed)
    @rule(text=TEXTS, has_receipt=st.booleans())
    def say(self, text: str, has_receipt: bool) -> None:  # noqa: FBT001
        outside, fate = self.outside, Fate() if has_receipt else None
        said, sent, touched = len(outside.said), len(outside.sent), outside.touched
        self.session.receive(text, fate)
        is_within = outside.pace == "within"
        assert [one.text for one in outside.said[said:]] == [text] * is_within
        assert outside.touched - touched == is_within
        assert len(outside.sent) - sent == (not is_within and fate is None)
        assert (fate or Fate()).ends == ["rate_limited"] * (not is_within and has_receipt)
        assert bool(outside.closed) == (outside.pace == "far_over")
        if is_within:
            self.waiting.append((said, fate))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), code=st.sampled_from(("", "", *LATER)))
    def answer(self, data: st.DataObject, code: str) -> None:
        """Redis answers, in any order, also when the connection has ended."""
        index, fate = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        said, sent = self.outside.said[index], len(self.outside.sent)
        if code:
            said.refused(code)
        elif said.heard is not None:
            said.heard()
        assert len(self.outside.sent) - sent == (bool(code) and fate is None)
        assert fate is None or fate.ends == [code or "taken"]

    @rule(pace=st.sampled_from(("within", "within", "over", "far_over")))
    def hurry(self, pace: Pace) -> None:
        self.outside.pace = pace

    @rule(microseconds=st.sampled_from((-3600 * SECOND, -SECOND, -1, 0, 1, SECOND, 3600 * SECOND)))
    def set_the_clock(self, microseconds: int) -> None:
        self.outside.now += microseconds

    @precondition(lambda self: not self.outside.closed)
    @rule(code=st.sampled_from(ENDS))
    def is_sent_away(self, code: str) -> None:
        """Its tenant's stage has flipped, the process stops, its token has expired, …"""
        self.session.refuse(code, successor="/v3/ws/group/lobby/client/v2-42", since="@1")
        told = json.loads(self.outside.sent[-1])["bridge"]
        assert (told["error"], told["since"], told.get("notice")) == (code, "@1", code if code in MOVED else None)

    @invariant()
    def times_only_increase(self) -> None:
        times = [said.sent_at for said in self.outside.said]
        assert times == sorted(set(times))

    @invariant()
    def only_a_flood_or_the_bridge_ends_it_and_once(self) -> None:
        assert len(self.outside.closed) <= 1
        assert all(code == FLOODED or code == REFUSALS[reason].close for code, reason in self.outside.closed)

    @invariant()
    def what_the_client_is_sent_is_a_refusal(self) -> None:
        for text in self.outside.sent[-1:]:
            assert json.loads(text)["bridge"]["error"] in REFUSALS


TestConnection = Connection.TestCase
TestConnection.settings = settings(stateful_step_count=30, suppress_health_check=[*HealthCheck])
