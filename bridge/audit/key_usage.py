"""Counts V2 frames: the outcome of each one's upgrade to V3, and which of its keys are not standard V2 keys. Pure.

It keeps names of keys, counts, and types of values, never a value. Bounded: when `MOST_KEYS` keys are known, further
keys are counted together only; so are keys with names longer than `LONGEST_KEY`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.audit.trials import Remedies
from compat.dialect import STANDARD, STANDARD_WORDS, Dialect, Meaning
from compat.identity import PLAIN_NAMES
from compat.reading import NotJson, read
from compat.upgrade import EXACT, STASHED, VALUE, Outcome, Upgraded, outcome_of, upgrade
from legacy_v2 import frames
from legacy_v2.frames import JsonType, type_of

MOST_KEYS: Final = 1_000
"""Proprietary keys that are counted one by one."""
LONGEST_KEY: Final = 128
"""Longest name of such a key, in characters."""

Shape = Literal["object", "value", "text"]
"""What a frame was: a JSON object, another JSON value, or text that is not JSON."""


@dataclass(slots=True)
class KeyUsage:
    """Counts for one proprietary key; each counts frames that have the key.

    `types`: by the JSON type of the value. `spaced`: the value is a string with white space in it. `stashed`: the key
    was put into the stash, because its place in the payload was taken. `wordless`: the frame had neither `msg` nor
    `cmd`; `alone`: of these, the frames in which this was the only proprietary key. `crowded`: the frame is exact now,
    but would be stashed if this key were a command, because the value then needs a place of its own. `mended`: the
    stashed frames that would be exact if the key had this meaning and nothing else changed.
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
        """Count one frame that has this key; `value` is the key's value there."""
        self.frames += 1
        self.types[type_of(value)] += 1
        self.spaced += isinstance(value, str) and any(map(str.isspace, value))
        self.wordless += is_wordless
        self.alone += is_wordless and is_alone
        self.stashed += is_stashed
        self.crowded += is_crowded


class Ledger:
    """The counts for one tenant, or for one recording."""

    def __init__(self, dialect: Dialect = STANDARD) -> None:
        self._dialect = dialect
        self._remedies = Remedies(dialect)
        self.shapes: Final[Counter[Shape]] = Counter()
        self.outcomes: Final[Counter[Outcome]] = Counter()
        self.fields: Final[Counter[str]] = Counter()
        self.stashed: Final[Counter[str]] = Counter()
        self.keys: Final[dict[str, KeyUsage]] = {}
        self.other_members = 0

    @property
    def frames(self) -> int:
        """How many frames were counted."""
        return self.shapes.total()

    def add(self, text: str) -> None:
        """Count one V2 frame, as it was sent."""
        try:
            frame = read(text, self._dialect.said_as["payload"])
        except NotJson:
            self.shapes["text"] += 1
            self.outcomes[EXACT] += 1
            return
        self.note(frame, upgrade(frame, PLAIN_NAMES, self._dialect))

    def note(self, frame: object, upgraded: Upgraded) -> None:
        """Count one frame that is a JSON value, and the result of its upgrade."""
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
        """Count the meanings that would make this stashed frame exact.

        Only for a frame with a single stashed key: if two are stashed, one rule leaves one of them in the stash.
        """
        match list(stash.keys() - {frames.STASH}):
            case [name] if name in self.keys:
                self.keys[name].mended.update(self._remedies.of(frame, name))

    def _kept(self, names: Iterable[str]) -> Iterable[tuple[str, KeyUsage]]:
        for name in names:
            key = self.keys.get(name)
            if key is None and len(self.keys) < MOST_KEYS and len(name) <= LONGEST_KEY:
                key = self.keys[name] = KeyUsage()
            if key is None:
                self.other_members += 1
            else:
                yield name, key
