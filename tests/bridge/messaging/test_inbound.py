"""Who is told that something may have been missed, and from when to when."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.messaging import deliveries
from bridge.messaging.hub import Listener
from bridge.messaging.inbound import Inbound
from bridge.messaging.renderers import V3Renderer
from tests.bridge.broker.parts import until
from tests.bridge.messaging.rendering import said
from tests.bridge.population import ADDRESSES, NOW
from tests.bridge.sockets.payloads import payloads

TENANTS = ("acme", "other")
TEN = 1_767_261_600_000_000
BEFORE, AFTER = "2026-01-01T09:59:56.500000Z", "2026-01-01T10:00:00.000000Z"


class Listening:
    """What a process hears, and one listener in each of two tenants."""

    def __init__(self) -> None:
        table = {"tenant": {"milliseconds": 900, "bytes": 0, "frames": 0}}
        settings = Settings.model_validate({"budget": table, "tenants": {name: {} for name in TENANTS}})
        self.budget = Budget(settings.limits)
        self.inbound = Inbound(self.budget, ADDRESSES, lambda: TEN)
        self.written = dict.fromkeys(TENANTS, b"")
        for tenant in self.written:
            self.inbound.hub.join(self._listener(tenant))

    def _listener(self, tenant: str) -> Listener:
        def write(frames: bytes) -> None:
            self.written[tenant] += frames

        channels = [ADDRESSES.broadcast(tenant), ADDRESSES.platform_for(tenant)]
        return Listener(V3Renderer(), write, channels, None, "team", "ann")

    def heard(self, tenant: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in payloads(self.written[tenant])]


@pytest.fixture
async def listening(anyio_backend: Any) -> Listening:
    return Listening()


def gaps(listening: Listening, tenant: str) -> list[dict[str, Any]]:
    return [heard for heard in listening.heard(tenant) if heard.get("cmd") == "GAP"]


async def test_everyone_is_told_since_when_the_bus_was_silent(listening: Listening) -> None:
    listening.inbound.say_gap(1.5)
    for tenant in TENANTS:
        (gap,) = listening.heard(tenant)
        assert (gap["cmd"], gap["payload"]) == ("GAP", {"from": BEFORE, "to": AFTER})


async def test_the_listeners_of_some_channels_alone_can_be_told(listening: Listening) -> None:
    listening.inbound.say_gap_on([ADDRESSES.broadcast("other"), ADDRESSES.group("acme", "elsewhere")], 1.5)
    assert listening.heard("acme") == []
    (gap,) = listening.heard("other")
    assert (gap["cmd"], gap["payload"]) == ("GAP", {"from": BEFORE, "to": AFTER})


@pytest.mark.parametrize("seconds", [3_600, -3_600])
async def test_where_the_own_clock_is_wrong_the_gap_covers_the_time_by_both(listening: Listening, seconds: int) -> None:
    """Messages bear the time of whichever process said them."""
    listening.inbound.redis_microseconds = lambda: TEN + seconds * 1_000_000
    listening.inbound.say_gap(1.5)
    (gap,) = listening.heard("acme")
    behind = {"from": "2026-01-01T08:59:56.500000Z", "to": AFTER}
    ahead = {"from": BEFORE, "to": "2026-01-01T11:00:00.000000Z"}
    assert gap["payload"] == (ahead if seconds > 0 else behind)


@pytest.mark.parametrize("channel", [ADDRESSES.broadcast("acme"), ADDRESSES.platform_for("acme")])
async def test_where_messages_are_left_out_those_are_told_who_might_have_heard_them(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, channel: bytes
) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING_BYTES", 0)
    listening.budget.tenant("acme").spend(0, 0, 1_350)
    with capture_logs() as logs:
        for _ in range(2):  # the first waits, however large it is, for nothing waits before it
            listening.inbound.deliveries.deliver(channel, [said(target="broadcast")])
        await until(lambda: gaps(listening, "acme"))
    assert [name for name in TENANTS if gaps(listening, name)] == ["acme"]
    (gap,) = gaps(listening, "acme")
    assert (gap["cmd"], gap["payload"]) == ("GAP", {"from": NOW, "to": AFTER})
    assert [(line["event"], line["tenant"]) for line in logs] == [("messages_left_out", "acme")]
