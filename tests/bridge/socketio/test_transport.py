"""How packets reach a client: by polls, by a websocket, and by one that takes over."""

from __future__ import annotations

import asyncio

import pytest

from bridge.budget.drain import MOST_TIMES, OutboxBounds
from bridge.socketio.engine import FEW_PACKETS, Engine
from bridge.socketio.outgoing import PACKET_BYTES
from bridge.socketio.packets import Broken
from bridge.socketio.transport import Transport
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.bridge.socketio.parts import EVENT, Home, Wire

MOST_BYTES = 2 * (len(EVENT) + PACKET_BYTES)


def transport(wire: Wire | None = None, told: list[str] | None = None) -> Transport:
    """`told` is told when polls take too little."""
    engine = Engine("secret", "polling" if wire is None else "websocket", OutboxBounds(MOST_BYTES, 0), 0.0)
    home = Home().sessions_with(MOST_BYTES)
    return Transport(engine, home, wire, lambda: None if told is None else told.append("slow"))


async def test_an_open_poll_is_answered_with_all_that_is_written_in_one_turn() -> None:
    one = transport()
    poll = asyncio.create_task(one.answer(FEW_PACKETS))
    await asyncio.sleep(0)
    one.write(EVENT)
    one.write(b"last")
    assert await asyncio.wait_for(poll, ANSWER_SECONDS) == EVENT + b"\x1elast"


async def test_packets_that_were_made_together_are_bounded_apart() -> None:
    told: list[str] = []
    one = transport(told=told)
    one.write(b"\x1e".join([EVENT] * 2 * MOST_TIMES))
    await asyncio.sleep(0)
    assert (told, one.waiting_bytes()) == ([], MOST_TIMES * MOST_BYTES)
    one.write(b"")
    one.write(b"")
    await asyncio.sleep(0)
    assert (told, one.waiting_bytes()) == (["slow"], 0)


async def test_whoever_is_over_is_not_told_that_it_is_slow() -> None:
    told: list[str] = []
    one = transport(told=told)
    one.write(EVENT)
    one.over()
    one.cut()
    assert (told, one.waiting_bytes()) == ([], 0)


async def test_a_websocket_is_written_to_at_once() -> None:
    wire = Wire()
    one = transport(wire)
    for _ in range(9):
        one.write(EVENT)
    assert wire.heard == [EVENT.decode()] * 9


async def test_a_websocket_takes_over_what_no_poll_has_taken() -> None:
    one, wire = transport(), Wire()
    one.candidate = wire
    poll = asyncio.create_task(one.answer(FEW_PACKETS))
    await asyncio.sleep(0)
    one.upgrade("2probe", 0.0)
    assert await asyncio.wait_for(poll, ANSWER_SECONDS) == b"6"
    one.write(EVENT)
    assert (await one.answer(FEW_PACKETS), wire.heard) == (b"6", ["3probe"])
    one.upgrade("5", 0.0)
    one.write(b"next")
    assert wire.heard == ["3probe", "6", EVENT.decode(), "next"]
    assert one.candidate is None


async def test_a_candidate_that_says_anything_else_is_broken() -> None:
    one = transport()
    one.candidate = Wire()
    with pytest.raises(Broken):
        one.upgrade("5", 0.0)


async def test_all_websockets_are_closed_and_cut_off_together() -> None:
    wire, candidate = Wire(), Wire()
    for one in (transport(wire), transport()):
        one.candidate = candidate
        one._engine.close(4410, "v2_retired", 0.0)
        one.close(4410, "v2_retired")
        one.abort()
    assert (wire.heard, wire.closes, wire.aborts) == (["1"], [(4410, "v2_retired")], 1)
    assert (candidate.heard, candidate.closes, candidate.aborts) == ([], [(4410, "v2_retired")], 2)


async def test_who_shall_come_back_is_sent_no_close_packet() -> None:
    wire = Wire()
    one = transport(wire)
    one._engine.close(1012, "going_away", 0.0)
    one.close(1012, "going_away")
    assert (wire.heard, wire.closes) == ([], [(1012, "going_away")])
