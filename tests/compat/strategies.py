"""JSON as it hits the translator, drawn to collide: words of both languages, of dialects, of nobody, at every place.

Made of small draws, since the laws want ten thousand of them: mostly picks from lists of what has gone wrong somewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from compat.dialect import Dialect, Rule
from compat.identity import Names

MAX_DEPTH: Final = 32
TOGETHER: Final = 10
"""So many examples are drawn at once: for Hypothesis it costs more to begin than to draw one more."""

PLAIN: Final[Mapping[str, Rule]] = {}
RICH: Final = {
    "reload": Rule(cmd="RELOAD_UI"),
    "blink": Rule(cmd="BLINK"),
    "flash": Rule(cmd="BLINK", speak=False),
    "caption": Rule(field="msg"),
    "headline": Rule(field="msg", speak=False),
}
RESPELLED: Final = {
    "kind": Rule(field="msg_type"),
    "scope": Rule(field="target"),
    "whom": Rule(field="to_id"),
    "verb": Rule(field="cmd"),
    "caption": Rule(field="msg"),
    "body": Rule(field="payload"),
    "value": Rule(cmd="SET"),
}
QUIET: Final = {
    "reload": Rule(cmd="RELOAD_UI", speak=False),
    "value": Rule(field="msg", speak=False),
    "body": Rule(field="payload", speak=False),
}


@dataclass(frozen=True)
class World:
    """A tenant as the translator knows it; `rules` are its dialect as it was declared."""

    rules: Mapping[str, Rule]
    dialect: Dialect
    names: Names


ID_MAPS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"42": "Xk3dQ", "dev_1": "Ab9_", "a b": "Zz-1", "007": "Bond", "v2-42": "Ghost", "server": "Boss", "9" * 70: "Big"},
)
DIALECTS: Final = RICH, RESPELLED, QUIET
WORLDS: Final = [World(rules, Dialect(rules), Names(id_map)) for rules in (PLAIN, *DIALECTS) for id_map in ID_MAPS]
SOME: Final = [[one for one in WORLDS if one.rules in (PLAIN, rules)] for rules in DIALECTS]
some_worlds: Final = st.sampled_from(SOME)
"""With and without a dialect, each with and without an id map."""

TYPING: Final = ("msg_type", "type", "kind", "cmd", "command", "verb", "reload", "blink", "flash")
ADDRESSING: Final = ("target", "scope", "to_id", "to_client_id", "to", "recipient_id", "whom")
PLACES: Final = ("payload", "data", "body", "_v2", "value", "reload", "client_id", "from_id", "a", "")
KEYS: Final = (
    *(*TYPING, *ADDRESSING, *PLACES, "msg", "message", "text", "caption", "headline", "bridge"),
    *("group_id", "sent_at", "version", "__proto__", "é", "\u2028", "🜁", "Msg", "id"),
)
TYPE_WORDS: Final = (
    *("msg", "message", "chat", "text", "cmd", "command", "heartbeat", "ping", "presence", "CMD"),
    *("RELOAD_UI", "BLINK", "SET", "GAP"),
)
IDS: Final = ("42", "007", "-5", "a b", "dev_1", "server", "v2-42", "v2-_zz", "Xk3dQ", "Bond", "9" * 70, "x" * 128)
NO_IDS: Final = (None, True, False, 1.5, "", "x" * 129)
WHOLE: Final = (7.0, -0.0, 1e22, float(2**63), -3e0)
TARGETS: Final = ("group", "direct", "broadcast", "echo")
NUMBERS: Final = (0, 1, -1, 42, -42, 2**63, 10**30, -(10**400), -0.0, 1e-7, 1.5e300, 5e-324)
ODD_TEXTS: Final = (" ", "\x00\x1f\x7f", "\ufeff", "\U0001d518\u0301\u200f")
SCALARS: Final = (*TYPE_WORDS, *IDS, *NO_IDS, *WHOLE, *TARGETS, *NUMBERS, *ODD_TEXTS)
NAMES: Final = ("dev_1", "v2-42", "v2-_zz", "Xk3dQ", "v2-a_20b", "v2-server", "v2-007", "-5", "_", "v2-v2-42", "a" * 64)


def nested(depth: int, leaf: Any, words: tuple[str, str]) -> Any:
    """`leaf` inside exactly `depth` containers, objects and lists by turns."""
    for level in range(depth):
        leaf = [leaf] if level % 3 == 2 else {words[level % 2]: leaf}
    return leaf


DEPTHS: Final = (2, 3, 30, MAX_DEPTH - 1)
CONTAINERS: Final = (
    *([], {}, [[]], [None, {"a": [1, True]}], {"_v2": {"a": 1}}, {"payload": {"payload": {}}}, {"value": {"value": 0}}),
    *(nested(depth, 1, (outer, inner)) for depth in DEPTHS for outer in ("a", "_v2", "payload") for inner in ("b", "")),
)

Frames = st.SearchStrategy[dict[str, Any]]
Drawn = TypeVar("Drawn")


def together(one: st.SearchStrategy[Drawn]) -> st.SearchStrategy[list[Drawn]]:
    """`TOGETHER` examples."""
    return st.lists(one, min_size=TOGETHER, max_size=TOGETHER)


def _frames(keys: st.SearchStrategy[str], values: st.SearchStrategy[Any], most: int) -> Frames:
    return st.lists(st.tuples(keys, values), max_size=most).map(dict)


def _together(frames: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for frame in frames for name, value in frame.items()}


known = st.sampled_from(SCALARS + CONTAINERS)
fresh = st.one_of(st.text(max_size=12), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
objects = st.one_of(
    _frames(st.sampled_from(KEYS), st.sampled_from(SCALARS), 4),
    _frames(st.sampled_from(PLACES), st.sampled_from(CONTAINERS[:7]), 4),
)
typed = _frames(st.sampled_from(TYPING), st.sampled_from((*TYPE_WORDS, None, 7)), 3)
addressed = _frames(st.sampled_from(ADDRESSING), st.sampled_from((*TARGETS, *IDS, *NO_IDS, *WHOLE, 42, -(10**400))), 3)
placed = _frames(st.sampled_from(PLACES), st.one_of(objects, st.sampled_from(CONTAINERS)), 4)

frames = st.one_of(
    _frames(st.sampled_from(KEYS), known, 7),
    _frames(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), st.one_of(known, fresh, objects), 5),
    placed,
    st.tuples(typed, addressed, placed).map(_together),
    st.tuples(typed, placed).map(_together),
)
"""V2 frames, at most `MAX_DEPTH` deep."""


def _content(
    msg_type: str, target: str, name: str, cmd: str | None, msg: str | None, payload: dict[str, Any] | None
) -> dict[str, Any]:
    fields = {"to_id": name if target == "direct" else None, "cmd": cmd, "msg": msg, "payload": payload}
    said = {"msg_type": msg_type, "target": target}
    return said | {field: value for field, value in fields.items() if value is not None}


_texts = st.one_of(
    st.none(), st.sampled_from([text for text in SCALARS if isinstance(text, str)]), st.text(max_size=12)
)
contents = st.builds(
    _content,
    st.sampled_from(("msg", "cmd")),
    st.sampled_from(("group", "direct", "broadcast")),
    st.sampled_from(NAMES),
    _texts,
    _texts,
    st.one_of(st.none(), objects, frames, frames),
)
"""What a V3 client may say to others, its payload at most `MAX_DEPTH` deep; `to_id` may be no name."""
