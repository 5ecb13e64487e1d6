"""A terminal that hangs up: it ends nobody's connection."""

from __future__ import annotations

import asyncio
import signal

import pytest
from websockets.exceptions import ConnectionClosed

from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims


async def a_hangup_ends_nobody(bridge: Attacked) -> None:
    async with victims(bridge) as talking:
        bridge.process.send_signal(signal.SIGHUP)
        await talking.talk()
    assert bridge.is_running


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_hangup_ends_nobodys_connection(attacked: StartAttacked, workers: str) -> None:
    await a_hangup_ends_nobody(attacked("--workers", workers, config=CONFIG))


async def test_where_it_does_what_python_has_it_do_it_ends_them_all(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONFIG, without="hangups")
    with pytest.raises(ConnectionClosed):
        await a_hangup_ends_nobody(bridge)
    assert await asyncio.to_thread(bridge.process.wait, 15) == -signal.SIGHUP
