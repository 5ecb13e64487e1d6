"""One server of ours: how uvicorn is set, and an end that waits for those who still read, and for nobody else."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from typing import Any, cast

import pytest

from bridge.config.settings import Settings, load
from bridge.runtime.app import Application
from bridge.runtime.process import Process
from bridge.runtime.server import ACCEPTED_AT_ONCE, PING_SECONDS, SEND_BUFFER_BYTES, Config, Server, _handles
from bridge.sockets.http_protocol import HttpProtocol
from bridge.sockets.websocket_opening import WebSocketOpening
from bridge.sockets.websocket_protocol import WebSocketProtocol
from bridge.system.open_files import LEAST
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.stopwatch import Stopwatch


@pytest.fixture
def settings() -> Settings:
    return load(max_message_bytes=1_000, outbox_bytes=5_000, drain_seconds=0.5)


def test_uvicorn_is_set_to_our_protocols_and_limits(settings: Settings) -> None:
    config = Config(Application(settings, "redis://127.0.0.1:1/0"))
    assert isinstance(config.http, type)
    assert issubclass(config.http, HttpProtocol)
    assert isinstance(config.ws, type)
    assert issubclass(config.ws, WebSocketOpening)
    assert config.ws.strangers is config.ws.socket_class.strangers is config.http.strangers
    assert config.ws.socket_class.outbox_bounds.most_bytes == 5_000
    assert config.ws.socket_class.most_message_bytes == 1_000
    assert 2 * PING_SECONDS <= 45
    assert config.access_log is False
    assert config.proxy_headers is False
    assert config.timeout_graceful_shutdown is not None


@pytest.mark.parametrize(("most", "sockets"), [(LEAST, 64), (1_024, 960)])
def test_what_the_bridge_opens_itself_is_no_strangers(monkeypatch: pytest.MonkeyPatch, most: int, sockets: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    for settings in (load(socketio=True), load(workers=2)):
        assert Config(Application(settings, "redis://127.0.0.1:1/0")).http.strangers.most == sockets  # type: ignore[union-attr]


class Stuck(WebSocketProtocol):
    """A socket that never ends by itself."""

    def __init__(self, others: set[Any]) -> None:
        self._others = others
        self.aborts = 0
        others.add(self)

    def abort(self) -> None:
        self.aborts += 1
        self._others.discard(self)


class Drained:
    """As much of a process as its server knows."""

    def __init__(self) -> None:
        self.has_stopped = False

    async def stop(self) -> None:
        self.has_stopped = True


def server(settings: Settings, process: Drained | None) -> Server:
    app = Application(settings, "redis://127.0.0.1:1/0")
    app.process = cast(Process, process)
    config = Config(app)
    config.lifespan = "off"
    config.load()
    made = Server(config, app)
    made.servers = []
    made.lifespan = config.lifespan_class(config)
    return made


async def test_whoever_does_not_take_the_close_is_cut_off_when_the_time_is_over(settings: Settings) -> None:
    process = Drained()
    ending = server(settings, process)
    stuck = Stuck(ending.server_state.connections)
    stopwatch = Stopwatch()
    await ending.shutdown()
    assert process.has_stopped
    assert stuck.aborts == 1
    assert stopwatch.all_seconds > 0.1
    assert stopwatch.least_seconds < settings.drain_seconds + 0.2


async def test_whoever_takes_it_sooner_keeps_nobody_waiting(settings: Settings) -> None:
    ending = server(settings, Drained())
    quick = Stuck(ending.server_state.connections)
    asyncio.get_running_loop().call_later(0.05, ending.server_state.connections.discard, quick)
    stopwatch = Stopwatch()
    await ending.shutdown()
    assert quick.aborts == 0
    assert stopwatch.least_seconds < 0.3


async def test_an_application_that_never_started_has_nobody_to_tell(settings: Settings) -> None:
    await asyncio.wait_for(server(settings, None).shutdown(), ANSWER_SECONDS)


def test_what_is_accepted_has_a_bounded_send_buffer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handles = _handles(listener)
        with socket.create_connection(listener.getsockname()) as client, handles[-1].accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in range(
                SEND_BUFFER_BYTES, 2 * SEND_BUFFER_BYTES + 1
            )
            assert client.getpeername() == listener.getsockname()
        for handle in handles:
            handle.close()


async def test_a_crowd_is_accepted_several_a_turn() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handles = _handles(listener)
        assert len(handles) == ACCEPTED_AT_ONCE
        assert {handle.getsockname() for handle in handles} == {listener.getsockname()}
        for handle in handles:
            handle.close()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
async def test_a_second_signal_hurries_nothing_and_logs_nothing(
    bridge: StartBridge, signals: tuple[signal.Signals, ...], workers: str
) -> None:
    running = bridge("--workers", workers)
    async with client(running, v3_path("g", "ann")) as ann:
        for number in signals:
            running.process.send_signal(number)
            await asyncio.sleep(0.1)
        assert await ann.close_code() == 1012
    assert await asyncio.to_thread(running.process.wait, ANSWER_SECONDS) == 0
    assert "Traceback" not in running.log
