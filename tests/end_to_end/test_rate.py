"""How fast one connection may speak: what exceeds the rate is refused, and who goes on for ten seconds is closed."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import count
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch

ECHO = {"msg_type": "msg", "target": "echo"}
PATHS = {"v3": v3_path("team", "loud", ""), "v2": "/ws/group/elsewhere/client/loud"}
SAID = {"v3": ECHO, "v2": {"msg": "hi"}}
BURST, PER_SECOND = 200, 100


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=QUIET)


def code_of(frame: dict[str, Any]) -> str | None:
    """The code of a refusal in either language, `None` for a message."""
    if "bridge" in frame:
        return str(frame["bridge"]["error"])
    return str(frame["payload"]["code"]) if frame.get("cmd") == "ERROR" else None


@pytest.mark.parametrize("language", PATHS)
async def test_of_a_thousand_messages_in_a_second_the_excess_is_refused(shared: BridgeProcess, language: str) -> None:
    async with client(shared, PATHS[language]) as loud, client(shared, v3_path("team", "calm")) as calm:
        began = time.monotonic()
        for _ in range(1_000):
            await loud.say(SAID[language])
        codes = [code_of(await loud.hear()) for _ in range(1_000)]
        most = BURST + PER_SECOND * (time.monotonic() - began) + 1
        assert set(codes) == {None, "rate_limited"}
        assert BURST <= codes.count(None) <= most
        assert await calm.is_served()


async def test_a_pause_restores_the_rate(shared: BridgeProcess) -> None:
    async with client(shared, PATHS["v3"]) as loud:
        for _ in range(1_000):
            await loud.say(ECHO)
        codes = [code_of(await loud.hear()) for _ in range(1_000)]
        assert codes[-1] == "rate_limited"
        await eventually(loud.is_served)


async def flooded(loud: Client, said: Any) -> int:
    """Three times the rate until the connection is closed: with which code."""
    stopwatch, text = Stopwatch(), json.dumps(said)

    async def flood() -> None:
        for number in count():
            await asyncio.sleep(number / (3 * PER_SECOND) - stopwatch.all_seconds)
            await loud.connection.send(text)

    flooding = asyncio.create_task(flood())
    close_code = await loud.close_code(15)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    assert stopwatch.all_seconds >= 10
    return close_code


async def test_who_goes_on_for_ten_seconds_is_closed(shared: BridgeProcess) -> None:
    async with client(shared, PATHS["v3"]) as v3, client(shared, PATHS["v2"]) as v2:
        close_codes = await asyncio.gather(flooded(v3, SAID["v3"]), flooded(v2, SAID["v2"]))
    assert set(close_codes) == {4429}
