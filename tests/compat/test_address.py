"""Whom a frame names that counts as text: never more people than it names, whatever is broken in it."""

import itertools
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.address import MOST_MENTIONS, MOST_TOKENS, address_of
from compat.reading import MAX_DEPTH, NotJson, TooMuch, read
from compat.upgrade import TO_NOBODY, upgrade, upgrade_text
from tests.compat.addressed import MUCH, TO_ALICE, UNREADABLE
from tests.compat.strategies import WORLDS, frames
from v3.messages import SERVER_ID

RECIPIENTS, TARGETS = ("to_id", "to"), ("target",)
NOBODY = None


@pytest.mark.parametrize("text", TO_ALICE, ids=itertools.count())
def test_its_recipient_is_read(text: str) -> None:
    content = upgrade_text(text).content
    assert content == {"msg_type": "msg", "target": "direct", "to_id": "alice", "msg": text}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *(
            ("7.0", "v2-7"),
            ("7e0", "v2-7"),
            ("70e-1", "v2-7"),
            ("-0.0", "v2-0"),
            ("9223372036854775808.0", f"v2-{2**63}"),
        ),
        *(
            (f"{float(2**63)!r}", f"v2-{2**63}"),
            ("7", "v2-7"),
            ("-7", "-7"),
            ("1e22", f"v2-{10**22}"),
            ('"7.0"', "v2-7_2e0"),
        ),
        *((r'"ali\ud83d"', "v2-ali_ef_bf_bd"), (r'"\ud83d\ude00"', "v2-_f0_9f_98_80"), ('"a\nb"', "v2-a_0ab")),
    ],
)
@pytest.mark.parametrize("rest", ["}", ',"a":1}', ',"a":NaN}', ',"a":"\\ud83d"}', ',"a":' + MUCH + "}", ',"a":', ",}"])
def test_a_number_that_equals_an_integer_and_half_an_emoji_are_names(written: str, name: str, rest: str) -> None:
    assert upgrade_text(f'{{"to":{written}{rest}').content.get("to_id") == name


@pytest.mark.parametrize("text", UNREADABLE, ids=itertools.count())
def test_a_recipient_that_cannot_be_read_is_nobody(text: str) -> None:
    assert address_of(text, (*RECIPIENTS, "é"), TARGETS, is_heavy=is_heavy(text)) is NOBODY
    assert "é" in text or upgrade_text(text).content == {"msg_type": "msg", **TO_NOBODY, "msg": text}


@pytest.mark.parametrize(("words", "number"), [("toto ", MOST_MENTIONS // 2), ('"go to: x" ', MOST_TOKENS)])
def test_what_mentions_recipients_without_end_is_for_nobody(words: str, number: int) -> None:
    assert upgrade_text("{" + words * (number // 2)).content["target"] == "group"
    assert upgrade_text("{" + words * (number + 1)).content["to_id"] == TO_NOBODY["to_id"]


def is_heavy(text: str) -> bool:
    try:
        read(text)
    except NotJson as reason:
        return isinstance(reason, TooMuch)
    return False


def test_nobody_is_a_name_that_nobody_can_have() -> None:
    for world in WORLDS:
        assert world.names.resolve(SERVER_ID) is None
        assert world.names.name_of(SERVER_ID) != SERVER_ID


@pytest.mark.parametrize(
    ("text", "target"),
    [
        *(
            ("hello", "group"),
            ('hello {"to":"alice"}', "group"),
            ('["to","alice"', "group"),
            ("", "group"),
            ("\ufeff", "group"),
        ),
        *(
            (r'{"msg":"reply to: bob \ud83d"}', "group"),
            ('{"msg":"say \\"to\\":1","a":NaN}', "group"),
            ('{"msg":"reply, to all', "group"),
            ('{"t\\\\o":"a","\\to":"b",}', "group"),
            ('{"a":"to",}', "group"),
            ('{"msg":"x', "group"),
        ),
        *(
            ('{"data":{"to":"eve"},"a":NaN}', "group"),
            ('{"data":{"to":"eve"},}', "group"),
        ),
        *(('{"to":7.5,"a":NaN}', "group"), ('{"to":[7],"a":NaN}', "group"), ('{"to":[7],"a":' + MUCH + "}", "group")),
        *(
            ('{"to":null,"a":NaN}', "group"),
            ('{"to":true,}', "group"),
            ('{"to":"","a":NaN}', "group"),
            ('{"to":{},}', "group"),
        ),
        *(('{"to":"' + "a" * 129 + '","a":NaN}', "group"), ('{"to":"' + "a" * 3_000 + '","a":' + MUCH + "}", "group")),
        *(('{"target":"broadcast","a":NaN}', "broadcast"), ('{"target":"broadcast","a":' + MUCH + "}", "broadcast")),
        *(("{'target':'broadcast'}", "broadcast"), ('{"target":"group","to":"a","b":NaN}', "group")),
        *(
            ('{"target":"direct","a":NaN}', "group"),
            ('{"target":"echo","a":NaN}', "group"),
            ('{"a":' + "[" * 60_000, "group"),
        ),
    ],
    ids=itertools.count(),
)
def test_who_names_nobody_speaks_to_its_target(text: str, target: str) -> None:
    assert upgrade_text(text).content == {"msg_type": "msg", "target": target, "msg": text}


def test_a_dialects_word_names_a_recipient_too() -> None:
    for world in WORLDS:
        if "whom" in world.rules:
            content = upgrade_text('{"whom":"alice","a":NaN}', world.names, world.dialect).content
            assert content["to_id"] == "alice"
            content = upgrade_text('{"scope":"broadcast","whom":7.0,"a":NaN', world.names, world.dialect).content
            assert content["target"] == "broadcast"


DEEP = "[" * (MAX_DEPTH + 8) + "]" * (MAX_DEPTH + 8)
SPOILT = ("NaN", "-Infinity", "1e400", '"\\ud83d"', '"a\nb"', DEEP, "[1,]", "01", "{a:1}", "'b'", "9" * 4301, MUCH)


@given(
    frames, st.sampled_from(SPOILT), st.sampled_from(("", "\ufeff", "\x00", "(")), st.sampled_from(("", "\x00", ");"))
)
def test_whatever_else_is_no_json_it_goes_where_it_would_go(
    frame: dict[str, Any], spoilt: str, before: str, behind: str
) -> None:
    text = f'{json.dumps(frame)[:-1]}{"," if frame else ""}"spoilt":{spoilt}}}'
    for world in WORLDS:
        content = upgrade_text(before + text + behind, world.names, world.dialect).content
        assert address_in(content) == address_in(upgrade(frame, world.names, world.dialect).content)
        assert content["msg"] == before + text + behind


def address_in(content: Mapping[str, Any]) -> tuple[Any, Any]:
    return content["target"], content.get("to_id")


@given(
    frames,
    st.randoms(use_true_random=False),
    st.sampled_from("{}[]\"'\\,:=/*\x00\ufeff\ufffd0aN"),
    st.sampled_from((0, 1)),
)
def test_one_wrong_character_never_makes_it_heard_by_more(
    frame: dict[str, Any], chance: Any, character: str, place: int
) -> None:
    named, others = (
        '"to":"alice"',
        json.dumps({name: 1 for name in frame if name not in ("to_id", "target", "to_client_id")}),
    )
    parts = [named, others[1:-1]] if place == 0 else [others[1:-1], named]
    text = "{" + ",".join(filter(None, parts)) + "}"
    places = [at for at in range(1, len(text) + 1) if not text.index(named) < at < text.index(named) + len(named)]
    at = chance.choice(places)
    spoilt = text[:at] + character + text[at:]
    assert upgrade_text(spoilt).content["target"] == "direct"
    cut = text[:at] + text[at + 1 :] if text[at:].startswith(named) is False else text
    assert upgrade_text(cut).content["target"] == "direct"


@given(st.text("{}[]\"'\\,:=/*\x00\ufeff0aNtoe+-._ \n\ufffd", max_size=40))
def test_every_text_is_read(text: str) -> None:
    content = upgrade_text(text).content
    assert content["msg_type"] in ("msg", "heartbeat", "cmd", "presence")
    try:
        read(text)
    except NotJson:
        assert content["msg"] == text


@pytest.mark.parametrize("piece", [" ", ", ", ":", "/*", "''", "to ", '"to":1,', "{[", "\\", '"', "\\'", "a=", "0."])
def test_it_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def seconds(size: int) -> float:
        text = "{" + piece * (size // len(piece))
        begun = time.thread_time()
        upgrade_text(text)
        return time.thread_time() - begun

    small, large = (min(seconds(size) for _ in range(5)) for size in (10_000, 200_000))
    assert large < 100 * small + 0.01  # 400 times where each character is looked at from each
