"""The data path of one process, as it is put together: whom it records, and how it sends everyone away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.budget.accounts import Holder
from bridge.messaging.connections import Connection
from bridge.messaging.hub import Listener
from bridge.messaging.renderers import V3Renderer
from bridge.runtime.process import Process
from bridge.sockets.outbox import Outbox
from bridge.sockets.websocket_protocol import WebSocketProtocol
from tests.bridge.assembled import assembled, numbers, started
from tests.bridge.broker.parts import ANSWER_SECONDS, Answers, until
from tests.bridge.messaging.rendering import said
from tests.bridge.messaging.test_connections import Session, Wire, facts_of
from tests.stopwatch import within

ANN = Place("acme", "team", "ann", "v3")


class Stubborn(Wire):
    """It is over when it is cut off, and not before."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.connection: Connection | None = None
        self._log = log

    def write(self, frames: bytes) -> None:
        self._log.append("heard")

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        self._log.append(reason)

    def abort(self) -> None:
        self._log.append("cut off")
        assert self.connection is not None
        asyncio.get_running_loop().call_soon(self.connection.lost)


def opened(process: Process, log: list[str]) -> Connection:
    """A connection that has begun; what befalls it is in the log."""
    wire = Stubborn(log)
    outbox = Outbox(wire)
    channels = [process.broker.addresses.group("acme", "team")]
    listener = Listener(V3Renderer(), outbox.write, channels, None, "team", "ann")
    info, connections = facts_of(ANN, ("team", "ann")), process.messaging.connections
    connection = wire.connection = Connection(info, Session(outbox), outbox, listener, connections, Holder())
    connection.begin()
    return connection


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    tables: Any = {"acme": {}, "other": {}}
    budget = {"tenant": {"milliseconds": 20, "bytes": 0, "frames": 0}}
    async with assembled(redis_url, prefix, drain_seconds=0, tenants=tables, budget=budget) as one:
        yield one


async def test_at_the_end_everyone_hears_what_waits_then_why_it_ends_and_then_it_does(process: Process) -> None:
    log: list[str] = []
    opened(process, log)
    process.messaging.connections.cutting_off.add(lambda: log.append("is told"))
    holder = process.messaging.inbound.deliveries._budget.tenant("acme")
    holder.spend(0, 0, 10_000)
    process.messaging.inbound.deliveries.deliver(process.broker.addresses.group("acme", "team"), [said()])
    assert log == []
    async with within(ANSWER_SECONDS):
        await process.messaging.stop()
    assert log == ["heard", "going_away", "is told", "cut off"]
    assert len(process.messaging.connections) == 0


async def test_a_gap_is_by_the_clock_of_redis_too(process: Process) -> None:
    assert process.messaging.inbound.redis_microseconds == process.broker.clock.microseconds


async def test_who_begins_and_who_ends_is_recorded(process: Process) -> None:
    recorder = process.records.recorder
    connection = opened(process, [])
    assert list(recorder._visits) == [("acme", connection.info.visitor)]
    connection.lost()
    assert list(recorder._visits) == []


async def test_whoever_listens_here_is_not_called_absent_while_redis_may_not_know_of_it(process: Process) -> None:
    opened(process, [])
    is_absent, addresses, told = process.messaging.publisher._is_absent, process.broker.addresses, Answers()
    is_absent(addresses.group("acme", "team"), told)
    assert await told.next() is False
    async with started(process):
        await until(lambda: process.broker.subscriber.is_up)
        is_absent(addresses.group("acme", "team"), told)
        assert await told.next() is True


async def test_connections_messages_and_what_went_wrong_are_told(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebSocketProtocol, "errors", 1)
    counts, inbound = process.records.counts, process.messaging.inbound
    opened(process, [])
    counts.errors, inbound.hub.deliveries, inbound.deliveries.left_out = 2, 3, 4
    counts.messages["acme", "v3"] = 5
    counts.refusals["acme", "v3", "rate_limited"] = 6
    assert numbers(process.messaging) == {
        ("bridge_connections", "acme", "v3"): 1,
        ("bridge_connections_accepted_total", "v3"): 1,
        "bridge_errors_total": 3,
        "bridge_deliveries_total": 3,
        "bridge_messages_left_out_total": 4,
        ("bridge_messages_total", "acme", "v3"): 5,
        ("bridge_refusals_total", "acme", "v3", "rate_limited"): 6,
    }
