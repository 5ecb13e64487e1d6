"""Finds the dialect rules that would make a stashed frame exact, by trying each rule on that frame. Pure.

It does not judge whether a rule has the right meaning: `proposals.py` proposes rules, and a person decides. It keeps
names of keys, never a value.
"""

import re
from typing import Final

from compat.dialect import Dialect, Meaning, Rule
from compat.identity import PLAIN_NAMES
from compat.upgrade import EXACT, outcome_of, upgrade

_NO_LETTER: Final = re.compile(r"[^A-Za-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Remedies:
    """The effect of one additional rule on one dialect. It keeps each dialect that it has built, by key."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._trials: dict[str, dict[Meaning, Dialect]] = {}

    def of(self, frame: object, name: str) -> list[Meaning]:
        """Each meaning for the key `name`, which has no rule in the dialect, that makes this stashed frame exact."""
        if name not in self._trials:
            self._trials[name] = {rule.meaning: self._beside(name, rule) for rule in remedies(name)}
        trials = self._trials[name].items()
        return [meaning for meaning, trial in trials if outcome_of(upgrade(frame, PLAIN_NAMES, trial)) == EXACT]

    def _beside(self, name: str, rule: Rule) -> Dialect:
        """The dialect with this rule added.

        `speak` is false, because a rule for the same meaning may be spoken already, and the two would collide.
        """
        return Dialect({**self._dialect.rules, name: rule.model_copy(update={"speak": False})})


def remedies(name: str) -> list[Rule]:
    """The rules that may keep this key out of the stash, the most likely first; none for an empty key."""
    return [Rule(cmd=command_name(name)), Rule(field="msg")] if name else []


def command_name(key: str) -> str:
    """A command name in the style of V3: `reloadUi` becomes `RELOAD_UI`."""
    return _NO_LETTER.sub("_", _CAMEL.sub("_", key)).strip("_").upper() or key
