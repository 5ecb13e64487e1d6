"""Where rows of faults are played."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.scene import Stage


@pytest.fixture
def stage(tmp_path: Path, prefix: str) -> Stage:
    """Builds the servers and the people of one row, each of them the test's own."""
    return Stage(tmp_path, prefix)
