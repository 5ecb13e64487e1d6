"""The stream of what changes: at once, whenever something does, with a sign of life between, and to an end in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from bridge.admin import events
from bridge.admin.events import SILENT_LOOKS, Streams
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal
from bridge.handshake.authentication import Administrator
from bridge.sockets.server_sent_events import KEEP_ALIVE
from tests.conftest import StartBridge
from tests.end_to_end.clients import client
from tests.end_to_end.configuration import api_key, key, with_key
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch, within

SOON_SECONDS = 0.9
"""Before a second look."""
NOTICED_SECONDS = 4.0
END_SECONDS = 10.0
CONFIG = (
    "[tenants.acme]\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + key("chief", "acme").replace("broadcast", "admin = true\nbroadcast")
)


class Listening:
    """One open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self._lines = response.aiter_lines()

    async def event(self) -> Any:
        """The data of the next event; lines that only say that somebody is there are passed over."""
        kind = ""
        async for line in self._lines:
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                assert kind == "tenants"
                return json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream has ended")

    async def until(self, holds: Any) -> None:
        async with within(NOTICED_SECONDS):
            while not holds({state["tenant"]: state for state in await self.event()}):
                pass

    async def end(self) -> None:
        """Wait for the end that the server says."""
        async for _ in self._lines:
            pass


@contextlib.asynccontextmanager
async def listening(bridge: BridgeProcess, name: str = "boss") -> AsyncIterator[Listening]:
    headers = {"Authorization": f"Bearer {api_key(name)}"}
    async with (
        httpx.AsyncClient(base_url=bridge.url, headers=headers, timeout=NOTICED_SECONDS) as http,
        http.stream("GET", "/admin/api/events") as response,
    ):
        assert response.status_code == 200
        yield Listening(response)


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


async def test_every_tenant_is_said_at_once(shared: BridgeProcess) -> None:
    async with listening(shared) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        stopwatch = Stopwatch()
        acme, other = await stream.event()
        assert stopwatch.least_seconds < SOON_SECONDS
    assert (acme["tenant"], acme["stage"], other["tenant"]) == ("acme", "bridge", "other")
    assert acme["connections"] == {"v2": 0, "v3": 0, "socketio": 0}


async def test_a_change_of_stage_and_a_connection_are_said_when_they_come(shared: BridgeProcess) -> None:
    async with listening(shared) as stream, httpx.AsyncClient(base_url=shared.url) as http:
        await stream.event()
        order = {"stage": "drain", "share": 7}
        headers = {"Authorization": f"Bearer {api_key('boss')}"}
        answer = await http.put("/admin/api/tenants/acme/stage", json=order, headers=headers)
        assert answer.status_code == 200
        await stream.until(lambda states: (states["acme"]["stage"], states["acme"]["share"]) == ("drain", 7))
        async with client(shared, f"/ws/client/42?{with_key('clerk')}"):
            await stream.until(lambda states: states["acme"]["connections"]["v2"] == 1)
        await stream.until(lambda states: states["acme"]["connections"]["v2"] == 0)


async def test_a_key_sees_its_own_tenants_alone(shared: BridgeProcess) -> None:
    async with listening(shared, "chief") as stream:
        assert [state["tenant"] for state in await stream.event()] == ["acme"]


@pytest.mark.parametrize(
    ("header", "status"), [(None, 401), ("Bearer nobody", 401), (f"Bearer {api_key('clerk')}", 403)]
)
async def test_only_an_admin_key_may_listen(shared: BridgeProcess, header: str | None, status: int) -> None:
    async with httpx.AsyncClient(base_url=shared.url) as http:
        answer = await http.get("/admin/api/events", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == status
    assert answer.json()["msg"]


async def test_a_key_in_the_address_opens_nothing(shared: BridgeProcess) -> None:
    """It would stand in every log on the way."""
    async with httpx.AsyncClient(base_url=shared.url) as http:
        assert (await http.get(f"/admin/api/events?api_key={api_key('boss')}")).status_code == 401


async def test_a_stream_ends_with_the_process_and_never_keeps_it(bridge: StartBridge) -> None:
    ending = bridge(config=CONFIG)
    async with listening(ending) as one, listening(ending) as other:
        for stream in (one, other):
            await stream.event()
        stopwatch = Stopwatch()
        status = asyncio.create_task(asyncio.to_thread(ending.terminate, END_SECONDS))
        async with asyncio.timeout(END_SECONDS):
            for stream in (one, other):
                await stream.end()
        assert await status == 0
        assert stopwatch.least_seconds < END_SECONDS


# One process's streams, with nothing around them.


class FixedService:
    """As much of the service as a stream asks for."""

    def __init__(self) -> None:
        self.tenants: list[dict[str, Any]] = [{"tenant": "acme", "version": 1}]
        self.is_away = False
        self.is_revoked = False

    def still_knows(self, _administrator: Administrator) -> bool:
        return not self.is_revoked

    async def states(self, _administrator: Administrator) -> list[dict[str, Any]]:
        if self.is_away:
            raise RedisConnectionError
        return self.tenants


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> FixedService:
    """Streams look again without a pause."""
    monkeypatch.setattr(events, "LOOK_SECONDS", 0)
    return FixedService()


def streams_of(fixed: FixedService, ending: list[bool] | None = None) -> Streams:
    return Streams(cast(TenantService, fixed), lambda: bool(ending))


def begin(streams: Streams) -> AsyncIterator[bytes]:
    return streams.begin(Administrator("boss", ("*",)))


async def test_where_nothing_changes_there_is_only_a_sign_of_life(fixed: FixedService) -> None:
    stream = begin(streams_of(fixed))
    said = [await anext(stream) for _ in range(3)]
    assert said == [b'event: tenants\ndata: [{"tenant": "acme", "version": 1}]\n\n', *[KEEP_ALIVE] * 2]
    fixed.tenants = [{"tenant": "acme", "version": 2}]
    assert await anext(stream) == b'event: tenants\ndata: [{"tenant": "acme", "version": 2}]\n\n'
    assert SILENT_LOOKS == 10


async def test_a_stream_ends_with_its_key(fixed: FixedService) -> None:
    stream = begin(streams_of(fixed))
    await anext(stream)
    fixed.is_revoked = True
    assert [said async for said in stream] == []


async def test_that_redis_is_away_is_said_once_and_then_that_it_is_back(fixed: FixedService) -> None:
    stream = begin(streams_of(fixed))
    tenants = await anext(stream)
    fixed.is_away = True
    assert (await anext(stream)).startswith(b'event: away\ndata: {"code": "bus_down", "msg": "')
    assert await anext(stream) == KEEP_ALIVE
    fixed.is_away = False
    assert await anext(stream) == tenants


async def test_a_stream_ends_when_the_process_does(fixed: FixedService) -> None:
    ending: list[bool] = []
    stream = begin(streams_of(fixed, ending))
    await anext(stream)
    ending.append(True)
    assert [said async for said in stream] == []


async def test_there_is_a_bound_to_open_streams_and_one_that_is_over_makes_room(
    fixed: FixedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 2)
    streams = streams_of(fixed)
    opened = [begin(streams) for _ in range(2)]
    for stream in opened:
        await anext(stream)
    with pytest.raises(AdminRefusal) as refused:
        begin(streams)
    assert (refused.value.status, refused.value.body["code"]) == (503, "overloaded")
    await opened[0].aclose()  # type: ignore[attr-defined]
    await anext(begin(streams))


async def test_no_key_has_more_than_its_share_and_some_are_kept_for_the_platform(
    fixed: FixedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 5)
    monkeypatch.setattr(events, "MOST_STREAMS_OF_A_KEY", 2)
    streams, opened = streams_of(fixed), []
    chiefs = [Administrator(f"chief of {tenant}", (tenant,)) for tenant in ("acme", "beta")]
    boss = Administrator("boss", ("*",))
    for administrator, is_let in ((chiefs[0], 2), (chiefs[1], 1), (boss, 2)):
        for _ in range(is_let):
            opened.append(streams.begin(administrator))
            await anext(opened[-1])
        with pytest.raises(AdminRefusal):
            streams.begin(administrator)


async def test_streams_that_begin_at_once_are_bounded_too(fixed: FixedService) -> None:
    streams = streams_of(fixed)
    begun = [begin(streams) for _ in range(events.MOST_STREAMS_OF_A_KEY + 1)]
    said = [await anext(stream, None) for stream in begun]
    assert said[-1] is None
    assert None not in said[:-1]
