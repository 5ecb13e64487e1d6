"""A room that hands the process nothing but itself."""

from __future__ import annotations

from bridge.system.part import Part


async def test_a_part_has_nothing_to_run_to_count_or_to_wait_for_unless_it_says_so() -> None:
    part = Part()
    assert (list(part.tasks()), list(part.metrics())) == ([], [])
    await part.start()
    await part.stop()
