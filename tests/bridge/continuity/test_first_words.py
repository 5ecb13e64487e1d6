"""A client that comes back is told first what it missed, and whether that is everything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.broker.message import BusMessage
from bridge.continuity.first_words import Words, asked_words, unasked_words
from bridge.continuity.resumption import NOTHING, Resumed
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.tenants.tenant import Tenant
from tests.bridge.messaging.rendering import said
from tests.bridge.population import NOW, table_of
from tests.bridge.sockets.payloads import payloads

LATER, EARLIEST = "2026-01-01T00:01:00.000000Z", "2025-12-31T23:58:00.000000Z"
MOST = 10_000
V3 = V3Renderer()
V2 = V2Renderer("acme", table_of(Tenant("acme")), Counts())


def told(words: Words) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in payloads(words.blob)]


def resumed(*messages: BusMessage, is_complete: bool = True, since: str = "") -> Resumed:
    return Resumed(is_complete, messages, "@g.1", since)


class TestToWhoHasAsked:
    def test_what_was_missed_comes_first_and_then_that_it_is_everything(self) -> None:
        missed, word = told(asked_words(resumed(said(msg="one")), V3, "team", LATER, MOST))
        assert missed["msg"] == "one"
        assert word == {
            "version": "3",
            "msg_type": "cmd",
            "target": "echo",
            "from_id": "server",
            "group_id": "team",
            "cmd": "RESUMED",
            "payload": {"complete": True, "missed": 1, "cursor": "@g.1"},
            "sent_at": LATER,
        }

    def test_where_nothing_was_missed_that_is_said(self) -> None:
        (word,) = told(asked_words(resumed(), V3, "team", LATER, MOST))
        assert word["payload"] == {"complete": True, "missed": 0, "cursor": "@g.1"}

    def test_what_v3_does_not_hear_is_not_counted(self) -> None:
        heartbeat = said(v2_text='{"type":"heartbeat"}', msg_type="heartbeat")
        *_, word = told(asked_words(resumed(heartbeat, said()), V3, "team", LATER, MOST))
        assert word["payload"]["missed"] == 1

    def test_where_it_is_not_known_nothing_is_replayed(self) -> None:
        (word,) = told(asked_words(NOTHING, V3, "team", LATER, MOST))
        assert word["payload"] == {"complete": False, "missed": 0, "cursor": None}

    def test_what_is_too_much_is_not_replayed_and_that_is_said(self) -> None:
        (word,) = told(asked_words(resumed(said(msg="x" * MOST)), V3, "team", LATER, MOST))
        assert word["payload"] == {"complete": False, "missed": 0, "cursor": "@g.1"}


class TestToWhoHasNotAsked:
    @pytest.mark.parametrize("renderer", [V2, V3])
    def test_what_was_missed_is_all_that_is_said(self, renderer: Any) -> None:
        frames = told(unasked_words(resumed(said(msg="one"), said(msg="two")), renderer, EARLIEST, LATER, MOST))
        assert [frame["msg"] for frame in frames] == ["one", "two"]

    def test_v2_hears_v2_verbatim(self) -> None:
        (payload,) = payloads(unasked_words(resumed(said(v2_text="one  ")), V2, EARLIEST, LATER, MOST).blob)
        assert payload == b"one  "

    def test_where_nothing_was_missed_nothing_is_said(self) -> None:
        assert unasked_words(resumed(), V2, EARLIEST, LATER, MOST) == (True, b"")

    @pytest.mark.parametrize("renderer", [V2, V3])
    @pytest.mark.parametrize(("since", "begun"), [("", EARLIEST), (NOW, NOW)])
    def test_where_it_is_not_known_a_gap_is_told(self, renderer: Any, since: str, begun: str) -> None:
        (gap,) = told(unasked_words(resumed(is_complete=False, since=since), renderer, EARLIEST, LATER, MOST))
        assert (gap["cmd"], gap["payload"]) == ("GAP", {"from": begun, "to": LATER})

    def test_what_is_too_much_is_a_gap(self) -> None:
        (gap,) = told(unasked_words(resumed(said(msg="x" * MOST), since=NOW), V2, EARLIEST, LATER, MOST))
        assert (gap["cmd"], gap["payload"]) == ("GAP", {"from": NOW, "to": LATER})


@pytest.mark.parametrize(("size", "is_whole"), [(1, True), (MOST, False)])
def test_whether_everything_is_sent_is_what_the_client_is_told(size: int, *, is_whole: bool) -> None:
    missed = resumed(said(msg="x" * size))
    asked = asked_words(missed, V3, "team", LATER, MOST)
    assert (asked.is_whole, told(asked)[-1]["payload"]["complete"]) == (is_whole, is_whole)
    assert unasked_words(missed, V2, EARLIEST, LATER, MOST).is_whole == is_whole
