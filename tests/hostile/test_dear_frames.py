"""Frames that say much with few bytes: none costs more than three times what plain text of its length costs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import UNHURRIED, with_key
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import Victims, hear

FRAME_BYTES = 60_000
FRAMES = 20
MOST_TIMES = 3
NOISE_SECONDS = 0.02
HEAD = '{"msg_type":"msg","target":"group","payload":{"a":'


def filled(beginning: str, piece: str, end: str) -> str:
    """The piece as often as it fits."""
    return beginning + piece * ((FRAME_BYTES - len(beginning) - len(end)) // len(piece.encode())) + end


PLAIN = filled(HEAD + '"', "x", '"}}')
SHAPES: dict[str, Callable[[], str]] = {
    "digits": lambda: filled(HEAD + "[", "9" * 198 + ",", "0]}}"),
    "digits in a text": lambda: filled(HEAD + '"', "1" * 198 + "a", '"}}'),
    "empty lists": lambda: filled(HEAD + "[", "[],", "0]}}"),
    "new keys": lambda: HEAD + json.dumps({f"key_{number:06}": number for number in range(2_700)}) + "}}",
    "brackets without end": lambda: filled(HEAD, "[", ""),
    "objects without end": lambda: filled(HEAD, '{"a":', ""),
    "unknown fields": lambda: json.dumps({"msg_type": "msg", "target": "group"} | {f"f{n}": 1 for n in range(5_000)}),
    "escapes": lambda: filled(HEAD + '"', "\\u00e9", '"}}'),
    "backslashes": lambda: filled(HEAD + '"', "\\\\", '"}}'),
    "a recipient": lambda: filled('{"msg_type":"msg","target":"direct","to_id":"v2-', "_e9", '"}'),
    "a long number": lambda: filled(HEAD, "9", "}}"),
    "white space": lambda: filled("", " ", HEAD + "1}}"),
}
OF_DIGITS = ("digits", "digits in a text")


async def cpu_seconds_of(bridge: Attacked, text: str) -> float:
    """What so many of them cost the process, until whoever hears them has heard the last."""
    query = with_key("rowdy")
    async with (
        client(bridge, v3_path("noise", "rowdy", query)) as sender,
        client(bridge, v3_path("noise", "other", query)) as listener,
    ):
        await Victims(sender, listener).talk(3, 0)
        before = bridge.cpu_seconds
        for _ in range(FRAMES):
            await sender.say(text)
        await sender.say({"msg_type": "cmd", "target": "group", "cmd": "OVER"})
        for each in (sender, listener):
            while (await hear(each)).get("cmd") != "OVER":
                pass
        return bridge.cpu_seconds - before


async def costs_as_much_as_text(bridge: Attacked, shape: str) -> None:
    plain, dear = await cpu_seconds_of(bridge, PLAIN), await cpu_seconds_of(bridge, SHAPES[shape]())
    assert dear < MOST_TIMES * plain + NOISE_SECONDS, f"{dear:.3f} s against {plain:.3f} s"


@pytest.mark.parametrize("shape", SHAPES)
async def test_no_shape_costs_more_than_three_times_its_bytes(attacked: StartAttacked, shape: str) -> None:
    await costs_as_much_as_text(attacked(config=UNHURRIED + CONFIG), shape)


@pytest.mark.parametrize("shape", OF_DIGITS)
async def test_where_each_digit_is_looked_at_again_it_costs_more(attacked: StartAttacked, shape: str) -> None:
    with pytest.raises(AssertionError, match="against"):
        await costs_as_much_as_text(attacked(config=UNHURRIED + CONFIG, without="reading"), shape)
