"""What operators and their machines are answered. That a bridge is ready is in `tests/end_to_end/test_http.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import httpx
import pytest

from bridge.api.health import KEYS_ARE_MISSING, Vitals, router
from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.subscriber import Subscriber
from bridge.continuity.path_canary import PathCanary
from bridge.messaging.connections import Connections
from tests.bridge.api.serving import asking
from v3.schema import json_schema


@dataclass
class Parts:
    """As much of the bus, the subscriber, the leases and the connections as readiness is made of."""

    is_up: bool = True
    is_linked: bool = True
    refusal: str | None = None
    trouble: str | None = None
    is_closing: bool = False
    is_deaf: bool = False


class House:
    """The routes of a process that is well until a test says otherwise."""

    def __init__(self) -> None:
        self.bus, self.subscriber, self.leases, self.connections = Parts(), Parts(), Parts(), Parts()
        self.canary = Parts()
        self.times_scraped = 0
        self.keys_are_missing = False

    async def exposition(self) -> bytes:
        self.times_scraped += 1
        return b"bridge_bus_up 1.0\n"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    bus, subscriber = cast(Bus, house.bus), cast(Subscriber, house.subscriber)
    leases, connections = cast(Leases, house.leases), cast(Connections, house.connections)
    parts = bus, subscriber, leases, connections, cast(PathCanary, house.canary)
    vitals = Vitals(*parts, lambda: "0123456789ab", lambda: house.keys_are_missing)
    async with asking(router(vitals, house.exposition)) as client:
        yield client


async def readiness(http: httpx.AsyncClient) -> tuple[int, bool, list[str]]:
    answer = await http.get("/readyz")
    said = answer.json()
    return answer.status_code, said["ready"], cast(list[str], said["trouble"])


async def test_a_process_that_is_well_is_ready(http: httpx.AsyncClient) -> None:
    assert await readiness(http) == (200, True, [])


async def test_each_trouble_is_named(http: httpx.AsyncClient, house: House) -> None:
    house.bus.is_up = False
    assert await readiness(http) == (503, False, ["Redis does not take what is said"])
    house.bus.is_linked = False
    assert await readiness(http) == (503, False, ["Redis does not answer", "Redis does not take what is said"])
    house.bus.is_linked = house.bus.is_up = True
    house.subscriber.is_up = False
    assert await readiness(http) == (503, False, ["not all channels are heard"])
    house.subscriber.is_up, house.leases.trouble = True, "READONLY You can't write"
    assert await readiness(http) == (503, False, ["READONLY You can't write"])
    house.leases.trouble, house.subscriber.trouble = None, "LOADING"
    assert await readiness(http) == (503, False, ["LOADING"])
    house.subscriber.trouble, house.bus.refusal = None, "OOM"
    assert await readiness(http) == (503, False, ["OOM"])
    house.leases.trouble = "OOM"
    assert await readiness(http) == (503, False, ["OOM"])  # once
    house.leases.trouble, house.bus.refusal, house.canary.is_deaf = None, None, True
    assert await readiness(http) == (503, False, ["what this process says is not heard by it"])
    house.canary.is_deaf, house.connections.is_closing = False, True
    assert await readiness(http) == (503, False, ["the process is stopping"])


async def test_while_keys_are_missing_it_is_ready_and_says_so(http: httpx.AsyncClient, house: House) -> None:
    house.keys_are_missing = True
    assert await readiness(http) == (200, True, [KEYS_ARE_MISSING])
    house.bus.is_up = False
    assert await readiness(http) == (503, False, ["Redis does not take what is said", KEYS_ARE_MISSING])


async def test_all_troubles_are_named_at_once(http: httpx.AsyncClient, house: House) -> None:
    house.bus.is_up = house.subscriber.is_up = False
    house.leases.trouble, house.connections.is_closing = "full", True
    assert len((await readiness(http))[2]) == 4


async def test_a_process_in_trouble_lives(http: httpx.AsyncClient, house: House) -> None:
    house.bus.is_up = house.subscriber.is_up = False
    answer = await http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


async def test_metrics_are_made_for_each_who_asks_and_are_in_the_text_format_of_prometheus(
    http: httpx.AsyncClient, house: House
) -> None:
    answers = [await http.get("/metrics") for _ in range(2)]
    assert house.times_scraped == 2
    assert answers[1].content == b"bridge_bus_up 1.0\n"
    assert answers[1].headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_the_schema_is_that_of_a_message(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v3/schema")).json() == json_schema()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v3/schema"])
async def test_nobody_changes_anything_here(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.post(path)).status_code == 405
