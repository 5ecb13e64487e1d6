"""The Engine.IO server, and what it relies on in python-engineio, which promises none of it.

When a test named after the library fails after an upgrade, read bridge/sockets/engine.py before anything else.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, cast

import engineio
import pytest
from engineio.async_drivers.asgi import _async, translate_request
from engineio.async_socket import AsyncSocket
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from hypothesis import given
from hypothesis import strategies as st

from bridge.sockets import engine as module
from bridge.sockets.engine import Engine, is_packet
from bridge.sockets.engine_session import PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS
from bridge.sockets.packets import MOST_PACKETS
from bridge.sockets.waiting import Waiting
from tests.bridge.broker.parts import until
from tests.bridge.sockets.engine_parts import MESSAGE_BYTES, Home
from tests.bridge.sockets.test_engine_session import EVENT

GONE = {"type": "websocket.disconnect", "code": 1006}


def text(packet: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": packet}


class Browser:
    """The far end of a websocket, as ASGI shows it."""

    def __init__(self, query: str) -> None:
        self.saying: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.saying.put_nowait({"type": "websocket.connect"})
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.aborted = 0
        headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        self.scope = {
            "type": "websocket",
            "path": "/",
            "query_string": query.encode(),
            "headers": headers,
            "extensions": {"aether.wire": self},
        }

    def abort(self) -> None:
        self.aborted += 1

    async def receive(self) -> dict[str, Any]:
        return await self.saying.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.heard.put_nowait(message)

    async def hears(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), 1)

    def connect(self, home: Home) -> asyncio.Task[Any]:
        return asyncio.create_task(home.engine.handle_request(self.scope, self.receive, self.send))


def upgrading(sid: str) -> Browser:
    return Browser(f"EIO=4&transport=websocket&sid={sid}")


async def probed(home: Home, sid: str) -> tuple[Browser, asyncio.Task[Any]]:
    """A websocket that may take the session over; the open poll has ended."""
    browser, poll = upgrading(sid), asyncio.create_task(home.heard(sid))
    task = browser.connect(home)
    browser.saying.put_nowait(text("2probe"))
    assert [(await browser.hears())["type"], (await browser.hears())["text"]] == ["websocket.accept", "3probe"]
    assert await poll == ["6"]
    return browser, task


async def upgraded(home: Home, sid: str) -> tuple[Browser, asyncio.Task[Any]]:
    browser, task = await probed(home, sid)
    browser.saying.put_nowait(text("5"))
    await until(lambda: home.engine.sessions[sid].is_upgraded)
    return browser, task


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        (engineio.AsyncServer, "create_queue", ["args", "kwargs"]),
        (engineio.AsyncServer, "start_background_task", ["target", "args", "kwargs"]),
        (engineio.AsyncServer, "_handle_connect", ["environ", "transport", "jsonp_index"]),
        (engineio.AsyncServer, "handle_request", ["args", "kwargs"]),
        (AsyncSocket, "schedule_ping", []),
        (AsyncSocket, "_send_ping", []),
        (AsyncSocket, "_websocket_handler", ["ws"]),
    ],
)
def test_the_library_takes_what_we_think(owner: type, name: str, expected: list[str]) -> None:
    parameters = inspect.signature(getattr(owner, name)).parameters
    assert [argument for argument in parameters if argument != "self"] == expected


async def test_the_librarys_socket_keeps_its_state_where_we_look() -> None:
    home = Home()
    sid, _ = await home.begin()
    socket = home.engine.sockets[sid]
    assert (socket.sid, type(socket.queue)) == (sid, Waiting)
    assert (socket.connected, socket.upgrading, socket.upgraded, socket.closing, socket.closed) == (True, *[False] * 4)


def test_the_library_takes_its_driver_from_where_we_put_ours() -> None:
    engine = Engine(1, 1, lambda: 0.0)
    assert set(_async) <= set(engine._async)
    assert engine._async["translate_request"] is translate_request
    assert engine._async["websocket"] is not _async["websocket"]
    assert "self.server._async['websocket'](" in inspect.getsource(AsyncSocket._upgrade_websocket)


def test_the_librarys_packets_have_the_numbers_that_we_write() -> None:
    assert (CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP) == (1, 2, 3, 4, 5, 6)
    assert (Packet(CLOSE).encode(), Packet(NOOP).encode()) == ("1", "6")


@given(st.text())
def test_what_we_let_through_the_library_reads_as_it_stands(rest: str) -> None:
    """Whatever begins otherwise it would read as JSON, of any depth."""
    for said in (rest, f"4{rest}", f"42{rest}"):
        if is_packet(said):
            packet = Packet(encoded_packet=said)
            assert f"{packet.packet_type}{packet.data}" == said


@pytest.mark.parametrize(
    "said", ["", "0", "2", "2probe", "5", "6", "1x", "33", "4", "4x", "4[", "47", "b4AA", "4²", "٤2"]
)
def test_what_a_client_may_not_send_at_any_time_is_no_packet(said: str) -> None:
    assert not is_packet(said)


async def test_a_session_that_polls_is_told_what_it_needs() -> None:
    home = Home()
    opening = (await home.engine.begin({"type": "http", "query_string": b"", "headers": []})).decode()
    (sid,) = home.engine.sessions
    assert opening == (
        f'0{{"sid":"{sid}","upgrades":["websocket"],"pingTimeout":{PING_TIMEOUT_SECONDS * 1_000},'
        f'"pingInterval":{PING_INTERVAL_SECONDS * 1_000},"maxPayload":{MESSAGE_BYTES + 1_024}}}'
    )


async def test_a_poll_brings_no_more_packets_than_every_client_takes() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    session.write(b"\x1e".join([EVENT] * (MOST_PACKETS + 3)))
    assert await home.heard(sid) == [EVENT.decode()] * MOST_PACKETS
    assert await home.heard(sid) == [EVENT.decode()] * 3


async def test_a_session_has_one_ping_which_ends_with_it() -> None:
    home = Home()
    sid, session = await home.begin()
    (ping,) = home.engine._pings.values()
    for _ in range(3):
        assert await home.engine.receive_all(sid, ["3"])
    assert list(home.engine._pings.values()) == [ping]
    session.abort()
    assert not home.engine._pings
    await asyncio.gather(ping, return_exceptions=True)
    assert ping.cancelled()


async def test_a_ping_is_said_and_its_answer_lets_the_next_one_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    home.engine.ping_interval = 0.01
    sid, _ = await home.entered("/v3")
    for number in (1, 2, 3):
        assert await home.heard(sid) == ["2"]
        assert await home.engine.receive_all(sid, ["3"])
        assert home.v3.guests[0].pongs == number
    home.engine.sessions[sid].abort()


@pytest.mark.parametrize("packets", [[""], ["x"], ["2"], ["5"], ["4[]"], ["b4AA"], ["0"], ["42[", "3"], ["3", "4x"]])
async def test_a_post_of_what_is_no_packet_closes_its_session(packets: list[str]) -> None:
    home = Home()
    sid, session = await home.begin()
    await home.engine.receive_all(sid, packets)
    assert session.code == 1002
    assert not await home.engine.receive_all(sid, ["3"])


async def test_a_client_that_says_goodbye_is_gone() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    assert await home.engine.receive_all(sid, ['42/v3,["message",1]', "1", '42/v3,["message",2]'])
    assert [said for said, _ in home.v3.guests[0].received] == ["1"]
    assert (session.code, home.v3.guests[0].losses) == (1000, 1)


async def test_so_many_sessions_may_be_in_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTSIDE", 2)
    home = Home()
    sid, session = await home.begin()
    full = [home.engine.is_full]
    await home.begin()
    full.append(home.engine.is_full)
    for said in ("0/v3,{}", "1/v3,"):
        await session.receive(said)
        full.append(home.engine.is_full)
    home.engine.forget(sid)
    assert [*full, home.engine.is_full] == [False, True, False, True, False]


async def test_at_the_end_open_polls_are_answered() -> None:
    home = Home()
    sid, _ = await home.entered("/v3")
    poll = asyncio.create_task(home.heard(sid))
    await asyncio.sleep(0)
    home.engine.end_all()
    assert await poll == ["1"]
    assert not home.engine.sessions


async def test_one_session_that_fails_does_not_end_the_look_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    home = Home()
    _, failing = await home.begin()
    _, other = await home.begin()
    cast(Any, failing).look = 0
    home.time = 11
    running = asyncio.create_task(home.engine.run())
    await until(lambda: other.ended_at is not None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    pings = list(home.engine._pings.values())
    await asyncio.gather(*pings, return_exceptions=True)
    assert all(ping.cancelled() for ping in pings)


async def test_a_websocket_carries_what_polls_would() -> None:
    home = Home()
    browser = Browser("EIO=4&transport=websocket")
    task = browser.connect(home)
    assert (await browser.hears())["type"] == "websocket.accept"
    assert (await browser.hears())["text"].startswith("0{")
    browser.saying.put_nowait(text("40/v3,{}"))
    assert (await browser.hears())["text"].startswith("40/v3,")
    (session,) = home.engine.sessions.values()
    session.write(b"\x1e".join([EVENT] * 20))
    assert [(await browser.hears())["text"] for _ in range(20)] == [EVENT.decode()] * 20
    browser.saying.put_nowait(GONE)
    await task
    assert home.v3.guests[0].losses == 1
    assert not home.engine.sessions


async def test_a_session_is_upgraded_and_loses_nothing() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await probed(home, sid)
    session.write(EVENT)
    assert await home.heard(sid) == ["6"]
    browser.saying.put_nowait(text("5"))
    assert (await browser.hears())["text"] == EVENT.decode()
    home.v3.guests[0].wire.begin_close(4410, "v2_retired")
    assert [(await browser.hears()).get("text") for _ in range(2)] == ["41/v3,", "1"]
    assert await browser.hears() == {"type": "websocket.close", "code": 4410, "reason": "v2_retired"}
    browser.saying.put_nowait(GONE)
    await task


@pytest.mark.parametrize("said", ["2", "2probes", "3", "42[]", "", "4" + "[" * 50_000, "2" + "[" * 50_000])
async def test_a_probe_that_is_none_closes_the_session(said: str) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    browser.saying.put_nowait(text(said))
    await task
    assert [(await browser.hears()).get("code") for _ in range(2)] == [None, 1002]
    assert session.code == 1002


@pytest.mark.parametrize("how_far", [[], ["2probe"]])
async def test_an_upgrade_that_is_given_up_leaves_the_session_polling(how_far: list[str]) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    for said in how_far:
        browser.saying.put_nowait(text(said))
    browser.saying.put_nowait(GONE)
    await task
    if how_far:
        assert await home.heard(sid) == ["6"]
    session.write(EVENT)
    assert await home.heard(sid) == [EVENT.decode()]
    assert session.websocket is None


async def test_an_upgrade_that_swallows_its_probe_ends_and_hinders_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.05)
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    assert (await browser.hears())["type"] == "websocket.accept"
    session.write(EVENT)
    assert await home.heard(sid) == [EVENT.decode()]
    await asyncio.wait_for(task, 1)
    assert session.websocket is None


async def test_a_second_websocket_of_a_session_is_turned_away() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    first, second = upgrading(sid), upgrading(sid)
    task = first.connect(home)
    assert (await first.hears())["type"] == "websocket.accept"
    await second.connect(home)
    assert (await second.hears())["type"] == "websocket.close"
    first.saying.put_nowait(GONE)
    await task
    assert session.ended_at is None


@pytest.mark.parametrize("said", ["5", "2", "2probe", "6", "", "x", "4", "4[", "3" + "[" * 50_000, "4" * 5_000])
async def test_what_may_not_come_over_a_websocket_closes_the_session(said: str) -> None:
    """A flood of upgrades would be answered packet by packet, and the answers would wait for who never reads."""
    home = Home()
    sid, _ = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    browser.saying.put_nowait(text(said))
    assert (await browser.hears())["text"] == "1"
    assert (await browser.hears())["code"] == 1002
    await asyncio.wait_for(task, 1)


async def test_bytes_that_another_server_hands_over_are_no_packet() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    browser.saying.put_nowait({"type": "websocket.receive", "bytes": b"42/v3,[]"})
    await asyncio.wait_for(task, 1)
    assert session.code == 1002


async def test_an_aborted_websocket_is_cut_off() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    session.abort()
    assert browser.aborted == 1
    browser.saying.put_nowait(GONE)
    await asyncio.wait_for(task, 1)


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_a_client_that_is_gone_before_it_is_answered_does_no_harm(error: Callable[[], Exception]) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)

    async def fails(_message: Any) -> None:
        raise error()

    browser.saying.put_nowait(text("2probe"))
    browser.saying.put_nowait(GONE)
    await home.engine.handle_request(browser.scope, browser.receive, fails)
    assert session.ended_at is None
    assert await home.heard(sid) == ["6"]


async def test_the_library_is_quiet_of_clients_and_not_of_our_faults(capsys: pytest.CaptureFixture[str]) -> None:
    home = Home()
    home.engine.logger.error("a client")
    assert (home.engine.broken, capsys.readouterr().out) == (1, "")
    home.engine.on("message", cast(Any, lambda *_: 1 / 0))
    await home.engine._trigger_event("message", "sid", "data")
    assert "engine_failed" in capsys.readouterr().out
