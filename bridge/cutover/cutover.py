"""The cutover room, assembled: the parts that the admin API and the command line use. No rules."""

from typing import Final

from bridge.cutover.changes import Changes
from bridge.cutover.closings import Closings
from bridge.cutover.dry_run import DryRun
from bridge.cutover.guard_facts import Guards
from bridge.cutover.held_steps import HeldSteps
from bridge.records.report_turns import ReportTurns
from bridge.records.store_reader import StoreReader


class Cutover:
    """Guards, changes and dry runs of the tenants of one deployment."""

    def __init__(self, reader: StoreReader, turns: ReportTurns, *, has_records: bool) -> None:
        """`turns`: a dry run takes one of the places for reports, so both share one bound.

        `has_records`: whether anything is recorded that guards can judge.
        """
        self.guards: Final = Guards(reader)
        closings = Closings(reader)
        self.changes: Final = Changes(reader.redis, reader.addresses, self.guards, closings, has_records=has_records)
        self.held_steps: Final = HeldSteps(reader.redis, reader.addresses)
        self.dry_run: Final = DryRun(reader, self.guards, turns)
