"""Proposes dialect rules for proprietary keys; a person decides whether to use them. Pure.

A key without a rule is not lost: it is carried in the payload under its own name, or in the stash if that place is
taken. A rule is worth proposing in three cases: the frames are about this key (it is a command), the key means the same
as a V3 field (another spelling), or the rule keeps content of its frames out of the stash.
"""

from collections.abc import Mapping
from typing import Final

from bridge.audit.key_usage import KeyUsage, Ledger
from bridge.audit.trials import command_name, remedies
from compat.dialect import SAID_AS, STANDARD, Dialect, Rule
from legacy_v2.frames import JsonType

MOST: Final = 0.9
"""The share of a key's frames that must agree before a meaning is proposed."""

_SPELLINGS: Final[Mapping[str, frozenset[str]]] = {
    "msg": frozenset({"body", "caption", "content", "msgtext", "messagetext"}),
    "cmd": frozenset({"action", "event", "instruction", "method", "op", "operation"}),
    "to_id": frozenset({"dest", "destination", "receiver", "receiverid", "recipient", "touser", "touserid"}),
}
_FITTING: Final[Mapping[str, tuple[JsonType, ...]]] = {
    "msg": ("string",),
    "cmd": ("string",),
    "to_id": ("string", "integer"),
}


def propose(ledger: Ledger, dialect: Dialect = STANDARD) -> dict[str, Rule]:
    """Rules that can be added to `dialect` unchanged, by key, the most frequent key first.

    `speak` is true for at most one rule for each meaning: only that one is used when V3 is converted to V2.
    """
    rules: dict[str, Rule] = {}
    commands = set(dialect.command_words)
    fields = {name for name, word in dialect.said_as.items() if word != SAID_AS[name]} | set(ledger.fields)
    for name, key in sorted(ledger.keys.items(), key=lambda item: -item[1].frames):
        rule = _rule(name, key) or _remedy(name, key)
        if rule is not None and not _takes_what_it_gives(rule, key):
            is_taken = rule.cmd in commands if rule.cmd is not None else rule.field in fields
            rules[name] = rule.model_copy(update={"speak": not is_taken})
            commands.update(filter(None, [rule.cmd]))
            fields.update(filter(None, [rule.field]))
    return rules


def _rule(name: str, key: KeyUsage) -> Rule | None:
    if not name:
        return None
    spelled = command_name(name).replace("_", "").lower()
    for field, spellings in _SPELLINGS.items():
        if spelled in spellings and _share(key, _FITTING[field]) >= MOST:
            return Rule(field=field)
    if key.wordless < MOST * key.frames:
        return None
    if key.spaced > key.frames / 2:
        return Rule(field="msg")
    if key.alone >= MOST * key.frames or _share(key, ("boolean",)) >= MOST:
        return Rule(cmd=command_name(name))
    return None


def _remedy(name: str, key: KeyUsage) -> Rule | None:
    """The rule that makes the most stashed frames exact; of several, the first in the order of `remedies`."""
    useful = [rule for rule in remedies(name) if key.mended[rule.meaning]]
    return max(useful, key=lambda rule: key.mended[rule.meaning], default=None)


def _takes_what_it_gives(rule: Rule, key: KeyUsage) -> bool:
    """Whether the rule stashes at least as many frames as it makes exact.

    A command's value is put in `payload.value`, and that place may be taken.
    """
    return rule.cmd is not None and 0 < key.crowded >= key.mended[rule.meaning]


def _share(key: KeyUsage, types: tuple[JsonType, ...]) -> float:
    return sum(key.types[name] for name in types) / key.frames
