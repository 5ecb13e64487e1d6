"""A terminal that hangs up: it ends nobody's connection. And an end that something in the process is deaf to."""

from __future__ import annotations

import asyncio
import contextlib
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


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_signals_that_nothing_answers_to_end_nobodys_connection(attacked: StartAttacked, workers: str) -> None:
    bridge = attacked("--workers", workers, config=CONFIG)
    async with victims(bridge) as talking:
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            bridge.process.send_signal(number)
        await talking.talk()
    assert bridge.is_running


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_however_often_it_is_told_to_end_it_ends_well(attacked: StartAttacked, workers: str) -> None:
    bridge = attacked("--workers", workers, config=CONFIG)
    while bridge.is_running:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                bridge.process.send_signal(number)
        await asyncio.sleep(0.005)
    assert bridge.process.returncode == 0
    assert "Traceback" not in bridge.log


async def test_where_it_does_what_python_has_it_do_it_ends_them_all(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONFIG, without="hangups")
    with pytest.raises(ConnectionClosed):
        await a_hangup_ends_nobody(bridge)
    assert await asyncio.to_thread(bridge.process.wait, 15) == -signal.SIGHUP


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_where_something_does_not_end_the_process_says_so_and_does(attacked: StartAttacked, workers: str) -> None:
    bridge = attacked("--workers", workers, config="drain_seconds = 1.0\n" + CONFIG, without="ends")
    assert await asyncio.to_thread(bridge.terminate) == 0
    lines = [line for line in bridge.log.splitlines() if "ended_by_force" in line]
    assert len(lines) == int(workers)
    assert all("TenantTable" in line for line in lines)


async def test_else_it_ends_and_says_nothing(attacked: StartAttacked) -> None:
    bridge = attacked(config="drain_seconds = 1.0\n" + CONFIG)
    assert await asyncio.to_thread(bridge.terminate) == 0
    assert "ended_by_force" not in bridge.log
