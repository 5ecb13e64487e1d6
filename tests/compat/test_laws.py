"""The two laws of the translator, each example with and without a dialect, with and without an id map."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from compat.downgrade import downgrade, is_spoken
from compat.upgrade import Upgraded, upgrade, upgrade_text
from legacy_v2.frames import write as write_v2
from tests.compat.strategies import TOGETHER, World, contents, frames, some_worlds, together
from tests.compat.table import COMMAND_WORD, TYPE_WORDS, meanings
from v3.heard import content_in, read_heard
from v3.messages import Content, content_of
from v3.messages import write as write_v3
from v3.said import read_said

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.timeout(1200),  # ten thousand examples each, where CI is set
    pytest.mark.no_cover,  # each line is covered by what is tried once, and this would take twice as long
]
canonical = json.JSONEncoder(sort_keys=True)
Worlds = Sequence[World]
LAWS: Final = settings.get_profile("laws")


def law(drawn: st.SearchStrategy[Any]) -> Callable[[Callable[[Any, Worlds], None]], Callable[[], None]]:
    """What holds for all that may be drawn, in some worlds."""

    def of_many(holds: Callable[[Any, Worlds], None]) -> Callable[[], None]:
        @settings(LAWS, max_examples=LAWS.max_examples // TOGETHER)
        @given(together(st.tuples(drawn, some_worlds)))
        def all_hold(many: Sequence[tuple[Any, Worlds]]) -> None:
            for one, worlds in many:
                holds(one, worlds)

        all_hold.__name__, all_hold.__doc__ = holds.__name__, holds.__doc__
        return all_hold

    return of_many


@law(frames)
def test_every_member_of_a_v2_frame_is_in_its_upgrade(frame: dict[str, Any], worlds: Worlds) -> None:
    text = write_v2(frame)
    for world in worlds:
        upgraded = upgrade(frame, world.names, world.dialect)
        assert_nothing_is_lost(frame, upgraded, world)
        assert_nothing_is_invented(frame, upgraded, world)
        assert exactly(upgrade_text(text, world.names, world.dialect).content) == exactly(upgraded.content)


@law(frames)
def test_an_upgraded_frame_goes_to_v2_and_comes_back(frame: dict[str, Any], worlds: Worlds) -> None:
    for world in worlds:
        content = upgrade(frame, world.names, world.dialect).content
        assert exactly(as_heard(write_v3(content, "from", "group", "now"))) == exactly(content)
        if is_spoken(content):
            assert_comes_back(content, world)


@law(contents)
def test_what_v3_says_goes_to_v2_and_comes_back(said: dict[str, Any], worlds: Worlds) -> None:
    content = content_of(read_said(to_json(said).decode()))
    assert exactly(content) == exactly(said)
    for world in worlds:
        to_id = world.names.resolve(said.get("to_id", "nobody"))
        if to_id is not None:  # else the session refuses it
            assert_comes_back(cast(Content, {**content, "to_id": to_id}) if "to_id" in content else content, world)


def as_heard(line: bytes) -> Content:
    read_heard(line)
    return content_in(line)


def assert_comes_back(content: Content, world: World) -> None:
    frame, expected = downgrade(content, world.names, world.dialect), exactly(content)
    assert exactly(upgrade(frame, world.names, world.dialect).content) == expected
    assert exactly(upgrade_text(write_v2(frame), world.names, world.dialect).content) == expected


def assert_nothing_is_lost(frame: Mapping[str, Any], upgraded: Upgraded, world: World) -> None:
    said, content = meanings(frame, world.rules), upgraded.content
    payload = content.get("payload", {})
    stash = payload["_v2"] if upgraded.outcome == "stashed" else {}
    for word, value in frame.items():
        match said.get(word):
            case None:
                assert holds(payload, word, value) or holds(stash, word, value)
            case "payload":
                members = all(holds(payload, name, one) or holds(stash, name, one) for name, one in value.items())
                assert "payload" in content
                assert members or holds(stash, word, value)
            case field if field == COMMAND_WORD:
                assert content["cmd"] == world.rules[word].cmd
                assert holds(payload, "value", value) or holds(stash, word, value)
            case "msg_type":
                assert content["msg_type"] == TYPE_WORDS[value]
            case "to_id":
                assert content["to_id"] == world.names.name_of(int(value) if isinstance(value, float) else value)
            case field:
                assert exactly(content[field]) == exactly(value)  # type: ignore[literal-required]


def assert_nothing_is_invented(frame: Mapping[str, Any], upgraded: Upgraded, world: World) -> None:
    said, content = {field: word for word, field in meanings(frame, world.rules).items()}, upgraded.content
    is_command = "cmd" in said or COMMAND_WORD in said
    assert ("cmd" in content) == is_command
    assert ("msg" in content) == ("msg" in said)
    assert ("to_id" in content) == ("to_id" in said) == (content["target"] == "direct")
    assert "msg_type" in said or content["msg_type"] == ("cmd" if is_command else "msg")
    assert "target" in said or content["target"] == ("direct" if "to_id" in said else "group")
    members = frame[said["payload"]].keys() if "payload" in said else set()
    own = {"_v2"} if upgraded.outcome == "stashed" else set()
    own |= {"value"} if COMMAND_WORD in said else set()
    assert content.get("payload", {}).keys() <= frame.keys() | members | own


def holds(members: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in members and (members[name] is value or exactly(members[name]) == exactly(value))


def exactly(value: Any) -> str:
    """Text that is the same for the same JSON value alone: 1, 1.0 and true are three."""
    return canonical.encode(value)
