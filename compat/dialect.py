"""The V2 dialect of one tenant: its proprietary keys, declared in the configuration instead of in code. Pure.

`reload = {cmd = "RELOAD_UI"}` declares a key for a command: `{"reload": X}` <->
`{"msg_type": "cmd", "cmd": "RELOAD_UI", "payload": {"value": X}}`. `caption = {field = "msg"}` declares another
spelling of a V3 field. A rule with `speak = false` is used to read V2 frames, and never to write them.
Rules that collide are a configuration error: the constructors raise `ValueError` with a sentence for the operator.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator

from legacy_v2 import frames

STANDARD_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "msg_type": frames.MSG_TYPES,
    "target": frames.TARGETS,
    "to_id": frames.RECIPIENTS,
    "cmd": frames.COMMANDS,
    "msg": frames.TEXTS,
    "payload": frames.PAYLOADS,
}
STANDARD_WORDS: Final = frames.CLAIMS.union({frames.STASH, frames.BRIDGE}, *STANDARD_SPELLINGS.values())
SAID_AS: Final = {
    "msg_type": "type",
    "target": "target",
    "to_id": "to_id",
    "cmd": "cmd",
    "msg": "msg",
    "payload": "payload",
}
"""V3 field -> the V2 key under which it is written where no dialect rule names another."""

COMMAND: Final = "command"
"""What a proprietary key for a command stands for, as other words stand for a V3 field."""
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "msg_type": (str,),
    "target": (str,),
    "to_id": (str, int, float),
    "cmd": (str,),
    "msg": (str,),
    "payload": (dict,),
    COMMAND: (str, int, float, bool, type(None), dict, list),
}
"""The types that a member must have to stand for a field. `True` is no integer here."""

Meaning = tuple[str | None, str | None]
"""`(cmd, field)`: the command or the V3 field for which a key stands. The other one is `None`."""


class Rule(BaseModel):
    """What one proprietary key means: the command `cmd`, or another spelling of the V3 field `field`.

    `speak`: whether the key is also used in the frames that V2 listeners receive.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cmd: str | None = None
    field: str | None = None
    speak: bool = True

    @model_validator(mode="after")
    def _means_one_thing(self) -> "Rule":
        if (self.cmd is None) == (self.field is None):
            raise ValueError("a dialect rule has either `cmd` or `field`")
        if self.field is not None and self.field not in STANDARD_SPELLINGS:
            raise ValueError(f"`field` must be one of {', '.join(STANDARD_SPELLINGS)}")
        return self

    @property
    def meaning(self) -> Meaning:
        """The command or field for which the key stands. It does not depend on `speak`."""
        return self.cmd, self.field


class Dialect:
    """All rules of one tenant, in the order of its configuration. Immutable.

    `places`: each word that stands for something, with the V3 field (or `COMMAND`) and the types of its values.

    Raises `ValueError` for a key that V2 itself uses, and for two rules with `speak` that have one meaning.
    """

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        rules = dict(rules or {})
        _check(rules)
        self.rules: Final[Mapping[str, Rule]] = rules
        self.commands: Final = {word: rule.cmd for word, rule in rules.items() if rule.cmd is not None}
        self.spellings: Final = {
            field: standard + tuple(word for word, rule in rules.items() if rule.field == field)
            for field, standard in STANDARD_SPELLINGS.items()
        }
        self._words = {**self.spellings, COMMAND: tuple(self.commands)}
        self.places: Final = {word: (field, TYPES[field]) for field, words in self._words.items() for word in words}
        spoken = {word: rule for word, rule in rules.items() if rule.speak}
        self.command_words: Final = {rule.cmd: word for word, rule in spoken.items() if rule.cmd is not None}
        self.said_as: Final = SAID_AS | {rule.field: word for word, rule in spoken.items() if rule.field is not None}
        self.words: Final = STANDARD_WORDS.union(rules)

    def words_in(self, frame: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
        """A V3 field (or `COMMAND`) -> the words of a frame that stand for it, in the order in which they count."""
        places = self.places
        found: dict[str, tuple[str, ...]] = {}
        for word in frame if len(frame) <= len(places) else frame.keys() & places.keys():
            if word in places:
                field, _ = places[word]
                found[field] = (word,) if field not in found else tuple(filter(frame.__contains__, self._words[field]))
        return found


def _check(rules: Mapping[str, Rule]) -> None:
    spoken: dict[Meaning, str] = {}
    for word, rule in rules.items():
        if word in STANDARD_WORDS or not word:
            raise ValueError(f"dialect.{word}: the word has a meaning of its own in V2; choose a proprietary key")
        if rule.speak and rule.meaning in spoken:
            said = rule.cmd or rule.field
            raise ValueError(
                f"dialect.{word} and dialect.{spoken[rule.meaning]} would both be said for {said}: "
                "give one of them `speak = false`"
            )
        if rule.speak:
            spoken[rule.meaning] = word


STANDARD: Final = Dialect()
