"""The time of day."""

from __future__ import annotations

import time

import pytest

from bridge.runtime.clock import WallClock


def test_it_is_told_in_whole_microseconds_since_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_767_225_600_123_456_999)
    assert WallClock().microseconds() == 1_767_225_600_123_456
