"""The Engine.IO server, and what it relies on in python-engineio, which promises none of it.

When a test named after the library fails after an upgrade, read bridge/socketio/engine.py, and
engine_websocket.py, before anything else.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, cast

import engineio
import pytest
from engineio.async_drivers.asgi import _async, translate_request
from engineio.async_socket import AsyncSocket
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio import engine as module
from bridge.socketio.engine import Engine
from bridge.socketio.outgoing import Waiting
from bridge.socketio.packets import MOST_PACKETS, may_come
from bridge.socketio.session import PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.engine_parts import MESSAGE_BYTES, Home, Logged
from tests.bridge.socketio.test_session import EVENT


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
    assert engine._async["translate_request"] is not translate_request
    assert engine._async["websocket"] is not _async["websocket"]
    assert "self.server._async['websocket'](" in inspect.getsource(AsyncSocket._upgrade_websocket)


def test_the_librarys_packets_have_the_numbers_that_we_write() -> None:
    assert (CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP) == (1, 2, 3, 4, 5, 6)
    assert (Packet(CLOSE).encode(), Packet(NOOP).encode()) == ("1", "6")


@given(st.text())
def test_what_we_let_through_the_library_reads_as_it_stands(rest: str) -> None:
    """Whatever begins otherwise it would read as JSON, of any depth."""
    for said in (rest, f"4{rest}", f"42{rest}"):
        if may_come(said):
            packet = Packet(encoded_packet=said)
            assert f"{packet.packet_type}{packet.data}" == said


@pytest.mark.parametrize(
    "said", ["", "0", "2", "2probe", "5", "6", "1x", "33", "4", "4x", "4[", "47", "b4AA", "4²", "٤2"]
)
def test_what_a_client_may_not_send_at_any_time_is_no_packet(said: str) -> None:
    assert not may_come(said)


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


async def test_where_too_many_are_in_no_namespace_one_ends_for_each_that_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_OUTSIDE", 3)
    home = Home()
    inside, _ = await home.entered("/v3")
    lonely, _ = await home.begin(address="198.51.100.9")
    many = [(await home.begin(address="203.0.113.7"))[0] for _ in range(5)]
    newcomer, _ = await home.begin(address="198.51.100.10")
    assert list(home.engine.sessions) == [inside, lonely, many[-1], newcomer]
    assert (len(home.engine.outside), home.engine.displaced) == (3, 4)


async def test_who_leaves_its_namespaces_is_outside_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTSIDE", 1)
    home = Home()
    sid, session = await home.entered("/v3")
    other, _ = await home.begin()
    await session.receive("1/v3,")
    assert list(home.engine.sessions) == [sid]
    assert sid in home.engine.outside
    assert other not in home.engine.outside


async def test_a_poll_of_a_session_that_gave_way_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTSIDE", 1)
    home = Home()
    sid, _ = await home.begin()
    poll = asyncio.create_task(home.engine.poll(sid))
    await asyncio.sleep(0)
    await home.begin()
    assert await asyncio.wait_for(poll, ANSWER_SECONDS) == b"1"


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


async def test_the_library_is_quiet_of_clients_and_not_of_our_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    home.engine.logger.error("a client")
    assert home.engine.broken == 1
    home.engine.on("message", cast(Any, lambda *_: 1 / 0))
    logged = Logged()
    monkeypatch.setattr(module, "log", logged)
    await home.engine._trigger_event("message", "sid", "data")
    assert logged.events == ["engine_failed"]
