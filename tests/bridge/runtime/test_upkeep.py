"""What a process does for itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from bridge.runtime.log_writer import LogWriter
from bridge.runtime.upkeep import Upkeep
from bridge.system.housekeeping import Housekeeping
from tests.bridge.assembled import numbers


@pytest.fixture
def writer() -> Iterator[LogWriter]:
    one = LogWriter()
    logging.getLogger().addHandler(one)
    yield one
    logging.getLogger().removeHandler(one)


def test_it_gives_memory_back_for_as_long_as_the_process_runs() -> None:
    (task,) = Upkeep((), bool).tasks()
    assert isinstance(task, Housekeeping)


async def test_tasks_are_counted() -> None:
    before = numbers(Upkeep((), bool))["bridge_tasks"]
    task = asyncio.create_task(asyncio.Event().wait())
    assert numbers(Upkeep((), bool))["bridge_tasks"] == before + 1
    task.cancel()
    await asyncio.wait([task])
    assert numbers(Upkeep((), bool))["bridge_tasks"] == before


async def test_lines_of_the_log_that_were_not_written_are_counted(writer: LogWriter) -> None:
    before = numbers(Upkeep((), bool))
    writer.dropped += 2
    after = numbers(Upkeep((), bool))
    assert {key: after[key] - before[key] for key in after if key != "bridge_tasks"} == {
        ("bridge_log_lines_lost_total", "held_back"): 0,
        ("bridge_log_lines_lost_total", "dropped"): 2,
    }
