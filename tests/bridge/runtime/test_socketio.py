"""Socket.IO as one process has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.runtime import socketio
from bridge.runtime.process import Process
from bridge.socketio.sessions import Sessions
from tests.bridge.assembled import assembled
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.bridge.socketio.parts import heard


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    async with assembled(redis_url, prefix, drain_seconds=0) as one:
        settings = Settings(prefix=prefix)
        socketio.mount(FastAPI().mount, settings, Budget(settings.limits), one)
        yield one


def sessions_of(process: Process) -> Sessions:
    (sessions,) = (part for part in process.parts if isinstance(part, Sessions))
    return sessions


async def test_both_languages_are_namespaces(process: Process) -> None:
    assert list(sessions_of(process).doors) == ["/v3", "/v2"]


async def test_the_sessions_are_looked_at_for_as_long_as_the_process_runs(process: Process) -> None:
    sessions = sessions_of(process)
    assert sessions in [task for part in process.parts for task in part.tasks()]


async def test_a_poll_that_waits_is_answered_when_the_process_stops_and_not_told_to_stay_away(process: Process) -> None:
    scope = {"type": "http", "query_string": b"", "headers": [], "client": ("127.0.0.1", 1)}
    session = sessions_of(process).begin(scope)
    assert (await session.answer())[:1] == b"0"
    poll = asyncio.create_task(heard(session))
    await asyncio.sleep(0)
    await process.messaging.stop()
    assert await asyncio.wait_for(poll, ANSWER_SECONDS) == [""]
    assert sessions_of(process).all() == []
