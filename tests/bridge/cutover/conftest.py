"""Fixtures of what is predicted."""

from __future__ import annotations

import pytest

from bridge.cutover import dry_run


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way to Redis, and so no prediction has to wait for it."""
    monkeypatch.setattr(dry_run, "SETTLE_SECONDS", 0)
