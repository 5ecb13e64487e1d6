"""All sessions of a process: how many may be in no namespace, and who looks after them."""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import pytest

from bridge.socketio import sessions as module
from bridge.socketio.engine import FEW_PACKETS
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.parts import EVENT, Home, Wire, heard
from tests.bridge.sockets.payloads import payloads


async def test_a_session_has_an_id_that_nginx_knows_as_one() -> None:
    home = Home()
    for _ in range(20):
        assert re.fullmatch("[A-Za-z0-9_-]{20}", (await home.begin()).sid)
    assert len(set(home.sids)) == 20


@pytest.mark.parametrize("upgrades", ['["websocket"]', "[]"])
async def test_a_session_is_told_what_it_needs_on_whichever_transport(upgrades: str) -> None:
    home, wire = Home(), Wire()
    session = home.begin_with(None if "websocket" in upgrades else wire)
    (opening,) = wire.heard or await heard(session)
    assert opening.startswith(f'0{{"sid":"{session.sid}","upgrades":{upgrades},"pingTimeout":')
    assert opening.endswith(f'"maxPayload":{home.sessions.most_bytes}}}')


async def test_where_too_many_are_in_no_namespace_one_ends_for_each_that_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 3)
    home = Home()
    inside = await home.joined("/v3")
    lonely = await home.begin(address="198.51.100.9")
    many = [await home.begin(address="203.0.113.7") for _ in range(5)]
    newcomer = await home.begin(address="198.51.100.10")
    assert home.sessions.all() == [inside, lonely, many[-1], newcomer]
    assert (len(home.sessions.pending), home.sessions.displaced) == (3, 4)


async def test_who_leaves_its_namespaces_is_unjoined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 1)
    home = Home()
    session = await home.joined("/v3")
    other = await home.begin()
    await session.receive_in_turn("41/v3,")
    assert home.sids == [session.sid]
    assert session.sid in home.sessions.pending
    assert other.sid not in home.sessions.pending


async def test_a_poll_of_a_session_that_gave_way_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 1)
    home = Home()
    session = await home.begin()
    poll = asyncio.create_task(session.answer())
    await asyncio.sleep(0)
    await home.begin()
    assert await asyncio.wait_for(poll, ANSWER_SECONDS) == b""


async def test_at_the_end_open_polls_are_answered_and_websockets_closed() -> None:
    home, wire = Home(), Wire()
    session = await home.joined("/v3")
    await home.joined_over(wire, "/v2")
    poll = asyncio.create_task(heard(session))
    await asyncio.sleep(0)
    home.sessions.end_all()
    assert await poll == [""]
    assert (wire.closes, home.sids) == ([(1012, "going_away")], [])


async def test_the_end_waits_for_polls_that_take_what_waits() -> None:
    home = Home()
    session = await home.joined("/v3")
    for _ in range(FEW_PACKETS + 1):
        session.write(EVENT)
    home.sessions.end_all()
    waiting = asyncio.create_task(home.sessions.flushed())
    assert len(await heard(session)) == FEW_PACKETS
    assert not waiting.done()
    assert (await heard(session), await heard(session)) == ([EVENT.decode()], [""])
    await asyncio.wait_for(waiting, ANSWER_SECONDS)


async def test_the_end_waits_for_nobody_whose_packets_are_taken() -> None:
    home = Home()
    await home.joined("/v3")
    home.sessions.end_all()
    await asyncio.wait_for(home.sessions.flushed(), ANSWER_SECONDS)


async def test_one_session_that_fails_does_not_end_the_look_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    home = Home()
    failing = await home.begin()
    other = await home.begin()
    cast(Any, failing).look = 0
    home.time = 11
    running = asyncio.create_task(home.sessions.run())
    await until(lambda: other.is_over)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_packets_are_framed_once_for_all_who_hear_them() -> None:
    home, wires = Home(), [Wire(), Wire()]
    listeners = [await home.joined_over(wire, "/v3") for wire in wires]
    blob, other = b"\x1e".join([EVENT, b"42/v3,[]"]), EVENT + b" "
    framed = home.sessions.framed(blob)
    assert [*payloads(framed)] == [EVENT, b"42/v3,[]"]
    assert home.sessions.framed(blob) is framed
    for listener in listeners:
        listener.write(blob)
        listener.write(other)
    assert [wire.heard[2:] for wire in wires] == [[EVENT.decode(), "42/v3,[]", other.decode()]] * 2


async def test_its_counters_say_what_has_been() -> None:
    home = Home()
    (await home.begin()).end_as_broken()
    counted = {family.name: family.samples[0].value for family in home.sessions.metrics()}
    assert counted == {"bridge_socketio_sessions": 1, "bridge_socketio_displaced": 0, "bridge_socketio_broken": 1}
