"""`aether-bridge audit`: counts recorded V2 traffic, and proposes dialect rules for it.

It never shows or keeps a value.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.audit.key_usage import LONGEST_KEY, MOST_KEYS, KeyUsage, Ledger
from bridge.audit.proposals import propose
from bridge.cli.dialect import DialectOption, read_dialect
from bridge.cli.lines import read_lines
from bridge.cli.options import ConfigOption, JsonOption
from bridge.cli.table import columns, counted
from bridge.cli.toml import toml_key, toml_text
from compat.dialect import Dialect, Rule

MOST_ROWS: Final = 40
SHAPES: Final = {"object": "objects", "value": "other JSON values", "text": "plain texts"}
OUTCOMES: Final = {
    "exact": "every member has its place in V3",
    "stashed": "a member's place was taken, or it claims what only the server says: kept in payload._v2",
    "suppressed": "heartbeats, which V3 clients do not hear",
}


def audit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="V2 frames as they were sent, one a line; - is standard input.")],
    config: ConfigOption = None,
    tenant: DialectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what would become of recorded V2 traffic, and propose dialect rules for its proprietary keys.

    No value is shown or kept, only the names of keys and the types of their values. With --config and --tenant the
    rules that the tenant already has are taken into account. Empty lines are passed over.

    ```sh
    aether-bridge audit recorded.jsonl
    aether-bridge audit recorded.jsonl --config bridge.toml --tenant acme --json
    ```
    """
    dialect = read_dialect(context, config, tenant)
    ledger, unreadable = _count(file, dialect)
    rules = propose(ledger, dialect)
    toml = _toml(rules, ledger, tenant)
    if as_json:
        typer.echo(json.dumps(_facts(ledger, unreadable, rules, toml), indent=2))
    else:
        typer.echo("\n\n".join(filter(None, _report(ledger, unreadable, rules, toml))))


def _count(file: Path, dialect: Dialect) -> tuple[Ledger, int]:
    """The counts of a recording, and the number of lines that are not UTF-8."""
    ledger, unreadable = Ledger(dialect), 0
    for _, line in read_lines(file):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            unreadable += 1
            continue
        if text:
            ledger.add(text)
    return ledger, unreadable


def _facts(ledger: Ledger, unreadable: int, rules: dict[str, Rule], toml: str) -> dict[str, object]:
    return {
        "frames": ledger.frames,
        "not_utf8": unreadable,
        "shapes": {name: ledger.shapes[name] for name in SHAPES},  # type: ignore[index]
        "outcomes": {name: ledger.outcomes[name] for name in OUTCOMES},  # type: ignore[index]
        "keys": {
            name: {
                "frames": key.frames,
                "types": dict(key.types.most_common()),
                "stashed": key.stashed,
                "rule": rules[name].model_dump(exclude_defaults=True) if name in rules else None,
                "mended": key.mended[rules[name].meaning] if name in rules else 0,
            }
            for name, key in _by_frames(ledger)
        },
        "other_members": ledger.other_members,
        "stashed_words": dict(ledger.stashed.most_common()),
        "toml": toml,
    }


def _report(ledger: Ledger, unreadable: int, rules: dict[str, Rule], toml: str) -> list[str]:
    shapes = ", ".join(f"{ledger.shapes[name]:,} {words}" for name, words in SHAPES.items())  # type: ignore[index]
    lines = [f"{ledger.frames:,} frames: {shapes}"]
    if unreadable:
        lines.append(f"{unreadable:,} lines are not UTF-8: no client can have sent them as text")
    outcomes = [(name, f"{ledger.outcomes[name]:>9,}", words) for name, words in OUTCOMES.items()]  # type: ignore[index]
    return ["\n".join(lines), columns(outcomes), _keys(ledger, rules), _stashed_words(ledger), toml]


def _keys(ledger: Ledger, rules: dict[str, Rule]) -> str:
    keys = "\n".join(filter(None, [_named(ledger, rules), _nameless(ledger.other_members)]))
    return keys or "No proprietary keys: V2's standard words, and the dialect if one was named, know them all."


def _named(ledger: Ledger, rules: dict[str, Rule]) -> str:
    if not ledger.keys:
        return ""
    head = ("PROPRIETARY KEY", "FRAMES", "VALUES", "MEANS")
    shown = [(name, key) for place, (name, key) in enumerate(_by_frames(ledger)) if place < MOST_ROWS or name in rules]
    rows = [(toml_key(name), f"{key.frames:,}", _types(key), _meaning(key, rules.get(name))) for name, key in shown]
    lines = [columns([head, *rows])]
    if len(shown) < len(ledger.keys):
        more = counted(len(ledger.keys) - len(shown), "key")
        lines.append(f"and {more} more, all without a rule: --json lists them")
    return "\n".join(lines)


def _nameless(members: int) -> str:
    if not members:
        return ""
    kept = f"names longer than {LONGEST_KEY} characters are not kept, nor what comes after the first {MOST_KEYS:,} keys"
    return f"{counted(members, 'member')} counted without a name: {kept}"


def _types(key: KeyUsage) -> str:
    if len(key.types) == 1:
        return next(iter(key.types))
    return ", ".join(f"{name} {number:,}" for name, number in key.types.most_common())


def _meaning(key: KeyUsage, rule: Rule | None) -> str:
    if rule is None:
        return _data(key)
    meaning = f"another spelling of {rule.field}" if rule.cmd is None else f"the command {toml_key(rule.cmd)}"
    mended = key.mended[rule.meaning]
    return f"perhaps {meaning}" + (f": by itself it makes {counted(mended, 'stashed frame')} exact" if mended else "")


def _data(key: KeyUsage) -> str:
    if not key.stashed:
        return "data: needs no rule, it crosses in the payload under its name"
    times = counted(key.stashed, "time")
    return f"data: stashed {times}, since its place in the payload was taken, and no rule by itself can help"


def _stashed_words(ledger: Ledger) -> str:
    if not ledger.stashed:
        return ""
    words = ", ".join(f"{name} {number:,}" for name, number in ledger.stashed.most_common())
    return f"Standard words that had to be stashed: {words}"


def _toml(rules: dict[str, Rule], ledger: Ledger, tenant: str | None) -> str:
    """The proposed rules as text for bridge.toml; empty if there are none."""
    if not rules:
        return ""
    head = f"[tenants.{tenant}]" if tenant else "[tenants.NAME]  # put the tenant's name here"
    lines = [
        f"dialect.{toml_key(name)} = {_inline(rule)}  # {ledger.keys[name].frames:,} frames"
        for name, rule in rules.items()
    ]
    return "\n".join(["# Proposed for bridge.toml: keep what you know to be true.", head, *lines])


def _inline(rule: Rule) -> str:
    word = f"cmd = {toml_text(rule.cmd)}" if rule.cmd is not None else f"field = {toml_text(rule.field or '')}"
    return f"{{ {word} }}" if rule.speak else f"{{ {word}, speak = false }}"


def _by_frames(ledger: Ledger) -> list[tuple[str, KeyUsage]]:
    return sorted(ledger.keys.items(), key=lambda item: -item[1].frames)
