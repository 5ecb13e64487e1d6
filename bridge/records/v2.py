"""The records of V2 alone: the outcomes of conversions, and the keys of V2 frames.

It never records a value of a frame: only the name of its key, and its type in samples. To be deleted together with V2.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records.backlog import Backlog, is_end_of_step
from bridge.records.counters import Counts, Direction, more_since
from bridge.records.retention import Tables
from bridge.records.rows import Conversion, Noted, ProprietaryKey
from bridge.records.speech import milliseconds
from legacy_v2.frames import JsonType, type_of

MOST_SHAPES: Final = 5_000
"""Different sets of key names that are counted in one second; a frame beyond is counted as left out."""
MOST_NAMES: Final = 10_000
"""Key names in all these sets together; a name in several sets counts several times. Beyond, as for `MOST_SHAPES`."""
LONGEST_KEY: Final = 128

DialectWords = Callable[[str], frozenset[str]]
"""Tenant -> the key names in its frames that its dialect explains."""


class Shape:
    """Frames with the same key names: when the first one was read (seconds since the epoch), its types, the count."""

    __slots__ = ("first", "times", "types")

    def __init__(self, first: float, types: tuple[JsonType, ...]) -> None:
        self.first: Final = first
        self.types: Final = types
        self.times = 1


class FrameKeys:
    """Counts the key names in the V2 frames that one process reads; frames with the same names are counted together."""

    def __init__(
        self, tables: Tables, backlog: Backlog, dialect_words: DialectWords, seconds: Callable[[], float]
    ) -> None:
        self._ledger = tables.ledger
        self._backlog = backlog
        self._dialect_words = dialect_words
        self._seconds = seconds
        self._shapes: dict[tuple[str, tuple[str, ...]], Shape] = {}
        self._names = 0

    def read(self, tenant: str, frame: object) -> None:
        """Count a frame, given as its parsed JSON value. On the data path."""
        if not self._backlog.is_kept or type(frame) is not dict:
            return
        key = (tenant, tuple(frame))
        shape = self._shapes.get(key)
        if shape is not None:
            shape.times += 1
        elif len(self._shapes) < MOST_SHAPES and self._names + len(frame) <= MOST_NAMES:
            self._names += len(frame)
            self._shapes[key] = Shape(self._seconds(), tuple(map(type_of, frame.values())))
        else:
            self._backlog.left_out += 1

    def note_rows(self) -> Iterator[None]:
        """Note each name that the dialect does not explain, with the type of its value in the first frame."""
        shapes, self._shapes, self._names = self._shapes, {}, 0
        now = milliseconds(self._seconds())
        for number, ((tenant, names), shape) in enumerate(shapes.items()):
            if is_end_of_step(number):
                yield
            known = self._dialect_words(tenant)
            for name, kind in zip(names, shape.types, strict=True):
                if name not in known and len(name) <= LONGEST_KEY:
                    noted = Noted(ProprietaryKey(name, kind).key(), milliseconds(shape.first), now, shape.times)
                    self._backlog.note(self._ledger, tenant, noted)


class Conversions:
    """Notes the outcomes of conversions by day, from counts that the process keeps anyway."""

    def __init__(self, tables: Tables, backlog: Backlog, counts: Counts, seconds: Callable[[], float]) -> None:
        self._ledger = tables.ledger
        self._backlog = backlog
        self._counts = counts
        self._seconds = seconds
        self._noted: Counter[tuple[str, Direction, str]] = Counter()

    def note_rows(self) -> Iterator[None]:
        """Note the conversions since the last call."""
        now = milliseconds(self._seconds())
        day = f"{datetime.fromtimestamp(now / 1_000, UTC):%Y-%m-%d}"
        for (tenant, direction, outcome), times in more_since(self._counts.conversions, self._noted):
            row = Conversion(direction, outcome, day)
            self._backlog.note(self._ledger, tenant, Noted(row.key(), now, now, times))
        yield


class V2Recording:
    """All records of V2 alone, assembled."""

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        tables: Tables,
        backlog: Backlog,
        counts: Counts,
        dialect_words: DialectWords,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.frame_keys: Final = FrameKeys(tables, backlog, dialect_words, seconds)
        self._conversions = Conversions(tables, backlog, counts, seconds)

    def note_rows(self) -> Iterator[None]:
        """Note what was counted since the last call, in steps."""
        yield from self.frame_keys.note_rows()
        yield from self._conversions.note_rows()
