"""The heart of one worker."""

import asyncio
import os

import pytest

from bridge.runtime import heartbeat
from bridge.runtime.heartbeat import Heartbeat
from tests.bridge.broker.parts import running, until


async def test_it_beats_and_outlives_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    async with running(Heartbeat(writes)):
        assert await asyncio.to_thread(os.read, reads, 1) == b"\0"
        os.close(reads)
        for _ in range(20):
            await asyncio.sleep(0.001)
    os.close(writes)


async def test_a_pipe_that_is_full_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    while True:
        try:
            os.write(writes, bytes(4_096))
        except BlockingIOError:
            break
    beats = 0

    def count(_descriptor: int, _beat: bytes) -> int:
        nonlocal beats
        beats += 1
        raise BlockingIOError

    monkeypatch.setattr(os, "write", count)
    async with running(Heartbeat(writes)):
        await until(lambda: beats > 3)
    os.close(reads)
    os.close(writes)
