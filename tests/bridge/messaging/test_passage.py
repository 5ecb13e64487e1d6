"""What is done for a connection for which nobody does anything."""

from __future__ import annotations

from bridge.messaging.passage import Passage


def test_without_others_nothing_is_said_kept_or_waited_for() -> None:
    passage, cursors = Passage[str](), list[str | None]()
    assert passage.first_words() == b""
    passage.withdraw(True, cursors.append)
    passage.staying()
    passage.leaving("ann")
    passage.over()
    assert (cursors, passage.cursor, passage.has_taken_all) == ([None], None, False)
