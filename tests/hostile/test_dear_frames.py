"""Frames that say much with few bytes: none costs more than three times what plain text of its length costs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import UNHURRIED, with_key
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import PATIENCE_SECONDS
from tests.shapes import plain, v2_frames, v3_frames

FRAME_BYTES = 60_000
FRAMES = 20
MOST_TIMES = 3
NOISE_SECONDS = 0.02

PATHS = {"v3": v3_path("noise", "rowdy", with_key("rowdy")), "v2": f"/ws/group/noise/client/7?{with_key('rowdy')}"}
LAST: dict[str, dict[str, Any]] = {
    "v3": {"msg_type": "msg", "target": "group", "msg": "over"},
    "v2": {"msg": "over"},
}
PLAIN = {
    "v3": f'{{"msg_type":"msg","target":"group","payload":{{"a":"{plain(FRAME_BYTES)}"}}}}',
    "v2": f'{{"msg":"a","payload":{{"a":"{plain(FRAME_BYTES)}"}}}}',
}
FRAMES_OF = {"v3": dict(v3_frames(FRAME_BYTES)), "v2": dict(v2_frames(FRAME_BYTES))}
OF_DIGITS = ("payload: digits, nearly too many", "payload: digits and a letter")
SHAPES = [
    *(("v3", name) for name in OF_DIGITS),
    ("v3", "payload: lists"),
    ("v3", "payload: lists 30 deep"),
    ("v3", "payload: new keys"),
    ("v3", "payload: ones"),
    ("v3", "payload: escapes"),
    ("v3", "payload: a table"),
    ("v3", "from_id: endless numbers"),
    ("v3", "frame: open brackets"),
    ("v3", "payload: open braces"),
    ("v3", "cut: objects"),
    ("v3", "unknown fields"),
    ("v3", "to_id: an escaped name of V2"),
    ("v3", "to_id: emoji"),
    ("v2", "frame: objects"),
    ("v2", "member: new keys"),
    ("v2", "member: digits, nearly too many"),
    ("v2", "recipient: accents"),
    ("v2", "frame: open brackets"),
    ("v2", "bridges"),
]


async def cpu_seconds_of(bridge: Attacked, language: str, text: str) -> float:
    """What so many of them cost the process, until whoever hears them has heard the last."""
    async with (
        client(bridge, PATHS[language]) as sender,
        client(bridge, v3_path("noise", "other", with_key("rowdy"))) as listener,
    ):
        await all_is_heard(language, sender, listener)
        before = bridge.cpu_seconds
        for _ in range(FRAMES):
            await sender.say(text)
        await all_is_heard(language, sender, listener)
        return bridge.cpu_seconds - before


async def all_is_heard(language: str, sender: Client, listener: Client) -> None:
    await sender.say(LAST[language])
    async with asyncio.timeout(PATIENCE_SECONDS):
        for each in (sender, listener):
            while '"over"' not in str(await each.connection.recv()):
                pass


async def costs_as_much_as_text(bridge: Attacked, language: str, shape: str) -> None:
    text = await cpu_seconds_of(bridge, language, PLAIN[language])
    dear = await cpu_seconds_of(bridge, language, FRAMES_OF[language][shape])
    assert dear < MOST_TIMES * text + NOISE_SECONDS, f"{dear:.3f} s against {text:.3f} s"


@pytest.mark.parametrize(("language", "shape"), SHAPES)
async def test_no_shape_costs_more_than_three_times_its_bytes(
    attacked: StartAttacked, language: str, shape: str
) -> None:
    await costs_as_much_as_text(attacked(config=UNHURRIED + CONFIG), language, shape)


@pytest.mark.parametrize("shape", OF_DIGITS)
async def test_where_each_digit_is_looked_at_again_it_costs_more(attacked: StartAttacked, shape: str) -> None:
    bridge = attacked(config=UNHURRIED + CONFIG, without="reading")
    with pytest.raises(AssertionError, match="against"):
        await costs_as_much_as_text(bridge, "v3", shape)
