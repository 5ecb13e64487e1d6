"""What was said in V2, counted: what became of it on its way to V3, and which keys no standard word of V2 is. Pure.

Names of keys, numbers and types of values are kept, never a value. Bounded: beyond `MOST_KEYS` keys, and where a name
is longer than `LONGEST_KEY`, members are only counted together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.audit.conversion import outcome_of
from bridge.audit.trials import Remedies
from compat.dialect import STANDARD, STANDARD_WORDS, Dialect, Meaning
from compat.identity import PLAIN_NAMES
from compat.reading import NotJson, read
from compat.upgrade import EXACT, STASHED, VALUE, Outcome, Upgraded, upgrade
from legacy_v2 import frames
from legacy_v2.frames import JsonType, type_of

MOST_KEYS: Final = 1_000
LONGEST_KEY: Final = 128

Shape = Literal["object", "value", "text"]


@dataclass(slots=True)
class Key:
    """One proprietary key. `spaced`: strings with white space in them; `stashed`: its place was taken.

    `wordless`: frames that said neither `msg` nor `cmd`; `alone`: those of them where it was the only proprietary key.
    `crowded`: exact frames that would be stashed if it were a command, whose value needs a place of its own.
    `mended`: the stashed frames that would be exact if it meant this, and nothing else were changed.
    """

    frames: int = 0
    types: Counter[JsonType] = field(default_factory=Counter)
    spaced: int = 0
    wordless: int = 0
    alone: int = 0
    stashed: int = 0
    crowded: int = 0
    mended: Counter[Meaning] = field(default_factory=Counter)

    def note(self, value: object, *, is_wordless: bool, is_alone: bool, is_stashed: bool, is_crowded: bool) -> None:
        """One frame that had this key."""
        self.frames += 1
        self.types[type_of(value)] += 1
        self.spaced += isinstance(value, str) and any(map(str.isspace, value))
        self.wordless += is_wordless
        self.alone += is_wordless and is_alone
        self.stashed += is_stashed
        self.crowded += is_crowded


class Ledger:
    """The counts of one tenant, or of one recording."""

    def __init__(self, dialect: Dialect = STANDARD) -> None:
        self._dialect = dialect
        self._remedies = Remedies(dialect)
        self.shapes: Final[Counter[Shape]] = Counter()
        self.outcomes: Final[Counter[Outcome]] = Counter()
        self.fields: Final[Counter[str]] = Counter()
        self.stashed: Final[Counter[str]] = Counter()
        self.keys: Final[dict[str, Key]] = {}
        self.other_members = 0

    @property
    def frames(self) -> int:
        """How many frames were counted."""
        return self.shapes.total()

    def add(self, text: str) -> None:
        """One V2 frame, as it was sent."""
        try:
            frame = read(text, self._dialect.said_as["payload"])
        except NotJson:
            self.shapes["text"] += 1
            self.outcomes[EXACT] += 1
            return
        self.note(frame, upgrade(frame, PLAIN_NAMES, self._dialect))

    def note(self, frame: object, upgraded: Upgraded) -> None:
        """One JSON value that was a frame, and what it became."""
        outcome = outcome_of(upgraded)
        self.outcomes[outcome] += 1
        if not isinstance(frame, dict):
            self.shapes["value"] += 1
            return
        self.shapes["object"] += 1
        content = upgraded.content
        self.fields.update(name for name in ("cmd", "msg", "to_id") if name in content)
        stash = content["payload"][frames.STASH] if upgraded.outcome == STASHED else {}
        self.stashed.update(name for name in stash if name in STANDARD_WORDS)
        unknown = [name for name in frame if name not in self._dialect.words]
        is_wordless = "cmd" not in content and "msg" not in content
        has_room = outcome != EXACT or "cmd" in content or VALUE not in content.get("payload", ())
        for name, key in self._kept(unknown):
            key.note(
                frame[name],
                is_wordless=is_wordless,
                is_alone=len(unknown) == 1,
                is_stashed=name in stash,
                is_crowded=not has_room and name != VALUE,
            )
        if outcome == STASHED:
            self._seek_remedy(frame, stash)

    def _seek_remedy(self, frame: dict[str, object], stash: Mapping[str, object]) -> None:
        """What the stashed key would have to mean; where two were stashed, one rule leaves one."""
        match list(stash.keys() - {frames.STASH}):
            case [name] if name in self.keys:
                self.keys[name].mended.update(self._remedies.of(frame, name))

    def _kept(self, names: Iterable[str]) -> Iterable[tuple[str, Key]]:
        for name in names:
            key = self.keys.get(name)
            if key is None and len(self.keys) < MOST_KEYS and len(name) <= LONGEST_KEY:
                key = self.keys[name] = Key()
            if key is None:
                self.other_members += 1
            else:
                yield name, key
