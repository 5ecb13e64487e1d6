"""How a process starts, goes on and stops; and two whose Redis comes back empty, which is said once.

What else becomes of a Redis that fails is in `tests/end_to_end/test_faults.py`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.broker.addresses import Addresses
from bridge.config.settings import Settings
from bridge.runtime.app import Application
from bridge.system import allocator
from bridge.system.housekeeping import FEW_CONNECTED, MUCH_BYTES, Housekeeping
from bridge.system.part import Part, Task
from tests.bridge.assembled import assembled, started
from tests.bridge.broker.parts import ANSWER_SECONDS, until_true
from tests.bridge.broker.people import witnessing
from tests.bridge.handshake.conftest import process_of
from tests.bridge.handshake.servers import Server
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess
from tests.stopwatch import within

SECONDS = 8.0
TENANTS = ("acme", "other")
CONFIG = (
    QUIET
    + "[tenants.acme]\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)


async def test_while_many_are_in_their_handshakes_the_garbage_is_left_alone(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come back at once when another bridge has ended, and none of them is connected yet."""
    app, collected = Application(Settings(prefix=prefix), redis_url), list[bool]()
    async with app.router.lifespan_context(app):
        (housekeeping,) = process_of(app).parts[0].tasks()
        assert isinstance(housekeeping, Housekeeping)
        for number in range(FEW_CONNECTED + 1):
            app.sockets.strangers.came(Server(), f"203.0.113.{number}")
        monkeypatch.setattr(gc, "collect", lambda: collected.append(True))
        monkeypatch.setattr(allocator, "resident_bytes", iter([0, MUCH_BYTES + 1]).__next__)
        housekeeping._least_bytes = 0
        await housekeeping.look()
        await housekeeping.look()
    assert collected == []


class Asked:
    """The admin API of one process."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str) -> Any:
        """What is answered; nothing while Redis is away."""
        answer = await self._http.get(path)
        assert answer.status_code in (200, 503)
        return answer.json() if answer.status_code == 200 else None

    async def knows(self, *clients: str) -> bool:
        """Whether these are the clients of the census."""
        census = await self.get("/acme/census?protocol=all")
        return census is not None and {one["client_id"] for one in census["clients"]} == {*clients}

    async def losses(self, tenant: str) -> list[dict[str, Any]]:
        return [change for change in await self.get(f"/{tenant}/changes") or [] if change["kind"] == "loss"]

    async def has_it_for_all(self) -> bool:
        return all([await self.losses(tenant) for tenant in TENANTS])


@asynccontextmanager
async def asking(bridge: BridgeProcess) -> AsyncIterator[Asked]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api/tenants", headers=headers) as http:
        yield Asked(http)


async def test_data_that_redis_lost_are_said_once_for_each_tenant_and_the_connected_are_in_the_census_again(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    query = with_key("clerk")
    async with (
        asking(bridges[0]) as first,
        asking(bridges[1]) as second,
        client(bridges[0], f"/ws/client/42?{query}"),
        client(bridges[1], v3_path("lobby", "ann", query)) as ann,
    ):
        await eventually(lambda: first.knows("42", "ann"))
        assert (await first.get("/acme"))["lost_at"] is None
        await asyncio.to_thread(redis.restart)
        await eventually(first.has_it_for_all, SECONDS)
        await eventually(lambda: second.knows("42", "ann"), SECONDS)
        await eventually(ann.is_served, SECONDS)
        for tenant in TENANTS:
            (loss,) = await second.losses(tenant)
            assert (loss["who"], loss["from"], loss["to"]) == ("aether-bridge", "bridge", "bridge")
            lost_at = datetime.fromisoformat((await first.get(f"/{tenant}"))["lost_at"])
            assert abs(lost_at - datetime.fromisoformat(loss["when"])) < timedelta(seconds=1)


async def test_what_stands_in_the_records_place_makes_room_and_every_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with asking(bridges[0]) as first:
        redis.execute("SET", Addresses(prefix).changes, "something else")
        await eventually(first.has_it_for_all, SECONDS)
        for tenant in TENANTS:
            (loss,) = await first.losses(tenant)
            assert loss["why"] == "Something else stood in Redis under the name of the record: what it held is lost"


async def test_what_stands_in_the_place_of_a_tenants_record_makes_room_and_that_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    async with asking(bridge(config=CONFIG, redis=redis.url)) as api:
        redis.execute("SET", Addresses(prefix).record("acme"), "something else")

        async def is_told() -> bool:
            return bool(await api.losses("acme"))

        await eventually(is_told, SECONDS)
        (loss,) = await api.losses("acme")
        assert loss["why"] == "Something else stood in Redis under the name of the record: what it held is lost"
        assert await api.losses("other") == []


async def test_what_stands_in_a_rolls_place_makes_room_and_its_tenant_is_told(
    bridge: StartBridge, redis_server: StartRedis, prefix: str
) -> None:
    redis = redis_server()
    running = bridge(config=CONFIG, redis=redis.url)
    async with asking(running) as api, client(running, f"/ws/client/42?{with_key('clerk')}") as old:
        await old.ask({"msg": "hi"})
        await eventually(lambda: api.knows("42"))
        redis.execute("DEL", Addresses(prefix).roll("acme", "census"))
        redis.execute("SET", Addresses(prefix).roll("acme", "census"), "something else")
        await old.ask({"msg": "hi"})

        async def is_told() -> bool:
            return bool(await api.losses("acme"))

        await eventually(is_told, SECONDS)
        (loss,) = await api.losses("acme")
        assert loss["why"] == "Something else stood in Redis under the name of the census: what it held is lost"
        assert await api.losses("other") == []
        await eventually(lambda: api.knows("42"), SECONDS)


class Frail(Part):
    """A part whose task fails twice."""

    def __init__(self) -> None:
        self.begun = 0
        self.goes_on = asyncio.Event()

    def tasks(self) -> Iterable[Task]:
        return (self,)

    async def run(self) -> None:
        self.begun += 1
        if self.begun < 3:
            raise ExceptionGroup("broken", [OSError("no files left")])
        self.goes_on.set()
        await asyncio.Event().wait()


async def test_a_part_that_fails_begins_anew_and_the_others_do_not_notice(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.runtime.process.TASK_PAUSE_SECONDS", 0.01)
    frail = Frail()
    async with assembled(redis_url, prefix) as process:
        process.parts.append(frail)
        with capture_logs() as logs:
            async with started(process):
                await asyncio.wait_for(frail.goes_on.wait(), ANSWER_SECONDS)
                assert await process.broker.bus.wait_until_up(ANSWER_SECONDS)
                assert process.broker.bus.reconnects == 0
    assert [(line["event"], line["part"]) for line in logs] == [("part_failed", "Frail")] * 2
    assert process.records.counts.errors == 2


class Noting(Part):
    """A part that notes when it starts and stops. Where it `hangs` it does not get on with that."""

    def __init__(self, name: str, log: list[str], *, hangs: bool = False) -> None:
        self._name = name
        self._log = log
        self._hangs = hangs

    async def start(self) -> None:
        self._log.append(f"{self._name} starts")

    async def stop(self) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        self._log.append(f"{self._name} stops")


class Failing(Part):
    """A part that cannot stop."""

    async def stop(self) -> None:
        raise RuntimeError


async def test_parts_start_in_their_order_and_stop_in_reverse(redis_url: str, prefix: str) -> None:
    log: list[str] = []
    async with assembled(redis_url, prefix) as process:
        process.parts[:] = [Noting(name, log) for name in ("low", "high", "highest")]
        await process.start()
        assert log == ["low starts", "high starts", "highest starts"]
        log.clear()
        await process.stop()
        assert log == ["highest stops", "high stops", "low stops"]


async def test_a_part_that_does_not_stop_holds_nobody_beyond_the_time_for_stopping(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.runtime.process.LAST_WORDS_SECONDS", 0.01)
    log: list[str] = []
    async with assembled(redis_url, prefix, drain_seconds=0) as process:
        process.parts[:] = [Noting("low", log), Noting("high", log, hangs=True), Noting("highest", log)]
        async with within(ANSWER_SECONDS):
            await process.stop()
    assert log == ["highest stops"]


async def test_a_part_that_fails_to_stop_keeps_no_other_from_stopping(redis_url: str, prefix: str) -> None:
    log: list[str] = []
    async with assembled(redis_url, prefix) as process:
        process.parts[:] = [Noting("low", log), Failing(), Noting("highest", log)]
        await process.stop()
        assert (log, process.records.counts.errors) == (["highest stops", "low stops"], 1)


async def test_each_room_stands_on_those_that_start_before_it_and_the_broker_has_the_last_word(
    redis_url: str, prefix: str
) -> None:
    async with assembled(redis_url, prefix) as process:
        rooms = [process.broker, process.tenants, process.records, process.messaging, process.handshakes, process.v2]
        assert [part for part in process.parts if part in rooms] == rooms


async def test_when_it_ends_no_task_of_it_goes_on_and_its_links_to_redis_are_closed(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    before = asyncio.all_tasks()
    async with assembled(redis_url, prefix) as process:

        async def links() -> int:
            return sum(process.broker.process in link["name"] for link in await redis.client_list())

        async def are_closed() -> bool:
            return await links() == 0

        async with started(process):
            assert asyncio.all_tasks() > before
            assert await links() == 2
            read_by = process.broker.redis.connection_pool._available_connections
            assert any(connection.is_connected for connection in read_by)
        assert asyncio.all_tasks() == before
        assert not any(connection.is_connected for connection in read_by)
        await until_true(are_closed)


class LoggedServer(Server):
    """Its client never reads: it is gone when it is cut off. What befalls it is in the log."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self._log = log

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        self._log.append(f"{code} {reason}")

    def abort(self) -> None:
        self._log.append("cut off")
        asyncio.get_running_loop().call_soon(self.attached.result().lost)


async def test_whoever_is_connected_is_told_then_cut_off_and_then_the_others_hear_that_it_left(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("bridge.runtime.process", "bridge.broker.part"):
        monkeypatch.setattr(f"{module}.LAST_WORDS_SECONDS", ANSWER_SECONDS)
    log: list[str] = []
    app = Application(Settings(prefix=prefix, presence_events_members=10, drain_seconds=0), redis_url)
    async with witnessing(redis_url, prefix, tenant="default") as witness:
        async with app.router.lifespan_context(app):
            server = LoggedServer(log)
            serving = asyncio.create_task(server.ask(app))
            await asyncio.wait_for(server.attached, ANSWER_SECONDS)
            assert await witness.event() == ("JOIN", "ann")
            await process_of(app).stop()
        serving.cancel()
        event, client_id = await witness.event()
    assert [*log, f"{event} of {client_id}"] == ["1012 going_away", "cut off", "LEAVE of ann"]
