"""What the ledger counts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audit.key_usage import LONGEST_KEY, MOST_KEYS, KeyUsage, Ledger
from bridge.audit.trials import Remedies
from compat.dialect import STANDARD_WORDS, Dialect, Rule
from legacy_v2.frames import write
from tests.compat.strategies import WORLDS, frames


def counted(*said: Any, dialect: Dialect | None = None) -> Ledger:
    """A ledger of these frames; what is no text is said as JSON."""
    ledger = Ledger(dialect or Dialect())
    for frame in said:
        ledger.add(frame if isinstance(frame, str) else json.dumps(frame))
    return ledger


def test_frames_are_told_apart_by_their_shape() -> None:
    ledger = counted({}, [], "7", "hello", '{"a": NaN}')
    assert ledger.shapes == {"object": 1, "value": 2, "text": 2}
    assert ledger.frames == 5


def test_each_frame_has_one_outcome() -> None:
    ledger = counted("hello", {"msg": "a"}, {"client_id": 1}, {"type": "ping"}, {"type": "ping", "client_id": 1})
    assert ledger.outcomes == {"exact": 2, "stashed": 1, "suppressed": 2}


def test_a_standard_word_is_no_proprietary_key() -> None:
    assert not counted(dict.fromkeys(STANDARD_WORDS, "x")).keys


def test_a_word_of_the_dialect_is_no_proprietary_key() -> None:
    assert not counted({"reload": 1}, dialect=Dialect({"reload": Rule(cmd="RELOAD")})).keys


def test_types_are_those_of_json() -> None:
    values = ("a", 1, 10**30, 1.5, True, None, {"b": 1}, [1])
    types = {"string": 1, "integer": 2, "number": 1, "boolean": 1, "null": 1, "object": 1, "array": 1}
    assert counted(*({"x": value} for value in values)).keys["x"].types == types


def test_a_key_alone_in_a_wordless_frame_is_told_from_one_in_company() -> None:
    keys = counted({"a": "x y", "client_id": 1}, {"a": 1, "b": 2}, {"a": 1, "msg": "hi"}, {"a": 1, "cmd": "GO"}).keys
    assert (keys["a"].frames, keys["a"].wordless, keys["a"].alone, keys["a"].spaced) == (4, 2, 1, 1)
    assert (keys["b"].wordless, keys["b"].alone) == (1, 0)


def test_what_had_to_be_stashed_is_counted_by_name() -> None:
    ledger = counted({"payload": {"a": 1}, "a": 2, "client_id": 3})
    assert ledger.keys["a"].stashed == 1
    assert ledger.stashed == {"client_id": 1}


def test_a_meaning_is_noted_for_each_stashed_frame_that_it_would_make_exact() -> None:
    stashed = {"a": "x", "payload": {"a": 1}}
    keys = counted(stashed, {**stashed, "msg": "hi"}, {**stashed, "cmd": "GO"}, {**stashed, "cmd": "GO", "a": 2}).keys
    assert keys["a"].mended == {("A", None): 2, (None, "msg"): 2}


@pytest.mark.parametrize("more", [{"b": 1}, {"client_id": 1}, {"type": "ping"}])
def test_nothing_is_tried_where_one_rule_is_not_enough_or_v3_hears_nothing(more: dict[str, Any]) -> None:
    ledger = counted({"a": 1, "payload": {"a": 1, "b": 1}, **more})
    assert (ledger.keys["a"].stashed, ledger.keys["a"].mended) == (1, {})


@settings(max_examples=3 * settings().max_examples)
@given(frames)
def test_every_rule_that_makes_a_frame_exact_is_found(frame: dict[str, Any]) -> None:
    for world in WORLDS:
        ledger = counted(frame, dialect=world.dialect)
        for name, key in ledger.keys.items():
            found = Remedies(world.dialect).of(frame, name) if ledger.outcomes["stashed"] else []
            assert set(key.mended) == set(found)


def test_keys_are_bounded_and_the_rest_is_counted_together() -> None:
    ledger = counted(*({f"k{number}": 1, "same": 2} for number in range(MOST_KEYS + 9)))
    assert len(ledger.keys) == MOST_KEYS
    assert ledger.keys["same"].frames == MOST_KEYS + 9
    assert ledger.other_members == 10


def test_a_long_name_is_not_kept() -> None:
    ledger = counted({"x" * (LONGEST_KEY + 1): 1, "x" * LONGEST_KEY: 1})
    assert (list(ledger.keys), ledger.other_members) == (["x" * LONGEST_KEY], 1)


@given(st.lists(frames, max_size=10))
def test_every_member_of_every_frame_is_counted(said: list[dict[str, Any]]) -> None:
    for world in WORLDS:
        ledger = Ledger(world.dialect)
        for frame in said:
            ledger.add(write(frame))
        assert ledger.frames == ledger.outcomes.total() == len(said)
        unknown = [name for frame in said for name in frame if name not in world.dialect.words]
        assert sum(key.frames for key in ledger.keys.values()) == len(unknown)
        assert all(key.types.total() == key.frames for key in ledger.keys.values())


def test_no_value_is_kept() -> None:
    ledger = counted(
        {"a": "secret", "client_id": "secret", "msg": "secret"}, {"a": "secret", "payload": {"a": 1}}, "secret"
    )
    kept = [ledger.shapes, ledger.outcomes, ledger.fields, ledger.stashed, ledger.keys]
    assert isinstance(ledger.keys["a"], KeyUsage)
    assert "secret" not in repr(kept)
