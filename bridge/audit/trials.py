"""Which dialect rules would make a stashed frame exact: each is tried on that very frame. Pure.

It never judges whether a rule says the truth: `proposals.py` proposes, a person decides. Names are kept, never a value.
"""

import re
from typing import Final

from bridge.audit.conversion import outcome_of
from compat.dialect import Dialect, Meaning, Rule
from compat.identity import PLAIN_NAMES
from compat.upgrade import EXACT, upgrade

_NO_LETTER: Final = re.compile(r"[^A-Za-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Remedies:
    """What one rule more would do for one dialect. The dialects that were tried are kept, for each key asked for."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._trials: dict[str, dict[Meaning, Dialect]] = {}

    def of(self, frame: object, name: str) -> list[Meaning]:
        """Each meaning of the key `name`, of which the dialect knows none, that makes this stashed frame exact."""
        if name not in self._trials:
            self._trials[name] = {rule.meaning: self._beside(name, rule) for rule in remedies(name)}
        trials = self._trials[name].items()
        return [meaning for meaning, trial in trials if outcome_of(upgrade(frame, PLAIN_NAMES, trial)) == EXACT]

    def _beside(self, name: str, rule: Rule) -> Dialect:
        """Never spoken: what is tried must not collide with what is said for the same meaning already."""
        return Dialect({**self._dialect.rules, name: rule.model_copy(update={"speak": False})})


def remedies(name: str) -> list[Rule]:
    """The rules that may keep a key out of the stash, the likeliest first; the empty key can have none."""
    return [Rule(cmd=command_name(name)), Rule(field="msg")] if name else []


def command_name(key: str) -> str:
    """A keyword for what a key orders, in the way of V3: `reloadUi` is `RELOAD_UI`."""
    return _NO_LETTER.sub("_", _CAMEL.sub("_", key)).strip("_").upper() or key
