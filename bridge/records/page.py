"""What waits to be written to the rolls of one tenant: each row once, however often it was noted. It writes nothing."""

from collections import defaultdict

from bridge.records.rows import Noted
from bridge.records.store import Roll


class Page:
    """What waits to be written to the rolls of one tenant."""

    def __init__(self) -> None:
        self.rows: dict[Roll, dict[str, Noted]] = defaultdict(dict)

    def note(self, roll: Roll, noted: Noted) -> bool:
        """Whether the row is new here."""
        rows = self.rows[roll]
        known = rows.get(noted.key)
        if known is not None:
            noted = Noted(
                noted.key,
                min(known.first, noted.first),
                max(known.last, noted.last),
                known.count + noted.count,
                noted.remark or known.remark,
            )
        rows[noted.key] = noted
        return known is None
