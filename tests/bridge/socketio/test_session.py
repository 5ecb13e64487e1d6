"""One Engine.IO session: what a client may say in it, when it ends, and what is still heard then."""

from __future__ import annotations

import asyncio
import json

import pytest

from bridge.socketio import session as engine_session_module
from bridge.socketio.outgoing import PACKET_BYTES
from bridge.socketio.session import (
    CONNECT_SECONDS,
    FLUSH_SECONDS,
    LAST_WORDS_SECONDS,
    MOST_CONNECTS,
    PING_INTERVAL_SECONDS,
    PING_TIMEOUT_SECONDS,
)
from tests.bridge.socketio.engine_parts import MESSAGE_BYTES, OUTBOX_BYTES, Home, Logged

SILENCE_SECONDS = PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS
EVENT = b'42/v3,["message",{}]'


async def test_a_client_is_let_in_under_a_name_that_is_not_its_secret() -> None:
    home = Home()
    sid, session = await home.begin()
    await session.receive("0/v3,{}")
    (told,) = await home.heard(sid)
    assert told.startswith("40/v3,")
    assert json.loads(told[6:])["sid"] not in ("", sid)


async def test_what_is_sent_with_connect_counts_before_the_query_and_a_doubled_field_stays_doubled() -> None:
    home = Home()
    _, session = await home.begin("EIO=4&transport=polling&api_key=a&api_key=b&client_id=c&group_id=")
    await session.receive('0/v3,{"client_id":"d","jwt":"j"}')
    (guest,) = home.v3.guests
    keys = [("api_key", "a"), ("api_key", "b")]
    sent = [("client_id", "d"), ("jwt", "j")]
    assert guest.query == [("EIO", "4"), ("transport", "polling"), *keys, ("group_id", ""), *sent]
    assert guest.given["client_id"] == "d"


async def test_an_event_is_received_as_its_text_and_one_that_asks_is_answered() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    await session.receive('2/v3,["message",{"a": 1.0}]')
    await session.receive('2/v3,7["message",{"b":2}]')
    (first, no_receipt), (second, answer) = home.v3.guests[0].received
    assert (first, no_receipt, second) == ('{"a": 1.0}', None, '{"b":2}')
    answer({"ok": True})
    assert await home.heard(sid) == ['43/v3,7[{"ok":true}]']


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            "[]",
            "x",
            "4",
            '51-["message"]',
            '2["message",{}]',
            '2/v2,["message",{}]',
            "1/v2,",
            "2/v3,[]",
            "2/v3,{}",
        ),
        *('2/v3,["message"', "0/v3,{}", "0/v3,[]", '0/v2,{"a"', "0/v2,[]"),
    ],
)
async def test_what_is_no_packet_or_comes_out_of_turn_closes_the_session(said: str) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    await session.receive(said)
    assert (session.code, home.engine.broken, home.v3.guests[0].losses) == (1002, 1, 1)
    assert await home.heard(sid) == ["1"]
    await session.receive('2/v3,["message",{}]')
    assert home.v3.guests[0].received == []


@pytest.mark.parametrize("said", ["3/v3,1[]", "3/none,1[]", "3[]"])
async def test_an_answer_that_nobody_asked_for_is_passed_over(said: str) -> None:
    _, session = await Home().entered("/v3")
    await session.receive(said)
    assert session.ended_at is None


async def test_a_fault_of_ours_ends_nobodys_session(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    _, session = await home.entered("/v3")
    logged = Logged()
    monkeypatch.setattr(engine_session_module, "log", logged)
    await session.receive('2/v3,["message","a fault of ours"]')
    await session.receive('2/v3,["message","next"]')
    assert [text for text, _ in home.v3.guests[0].received] == ["a fault of ours", "next"]
    assert (session.ended_at, home.engine.broken) == (None, 0)
    assert logged.events == ["message_failed"]


async def test_a_message_over_the_limit_is_refused() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    await session.receive(f'2/v3,["message","{"x" * MESSAGE_BYTES}"]')
    assert len(home.v3.guests[0].received) == 1
    await session.receive(f'2/v3,1["message","{"é" * (MESSAGE_BYTES // 2)}x"]')
    assert home.v3.guests[0].refusals == ["message_too_big"]
    assert session.code == 1009
    assert (await home.heard(sid))[-1] == "41/v3,"
    assert await home.heard(sid) == ["1"]


async def test_a_client_may_be_in_both_namespaces_and_leave_each() -> None:
    home = Home()
    sid, session = await home.entered("/v3", "/v2")
    await session.receive("1/v3,")
    assert (home.v3.guests[0].losses, home.v2.guests[0].losses, session.ended_at) == (1, 0, None)
    home.v2.guests[0].wire.begin_close(4410, "v2_retired")
    assert (home.v2.guests[0].losses, session.code, session.reason) == (1, 4410, "v2_retired")
    assert [await home.heard(sid), await home.heard(sid)] == [["41/v2,"], ["1"]]


async def test_who_shall_come_back_loses_the_session_without_being_told_to_disconnect() -> None:
    """No client returns by itself from a disconnect; from a lost session every one does."""
    home = Home()
    sid, session = await home.entered("/v3", "/v2")
    for guest in (*home.v3.guests, *home.v2.guests):
        guest.close_code = 1012
        guest.refuse("going_away")
    assert session.code == 1012
    assert [packet[:2] for packet in await home.heard(sid)] == ["42", "42"]
    assert await home.heard(sid) == ["1"]


async def test_who_shall_come_back_to_one_namespace_comes_back_to_both() -> None:
    home = Home()
    _, session = await home.entered("/v3", "/v2")
    home.v3.guests[0].wire.begin_close(1012, "going_away")
    await asyncio.sleep(0)
    assert (session.code, home.v2.guests[0].losses) == (1012, 1)


async def test_a_refused_client_hears_why_and_is_closed_within_a_second() -> None:
    home = Home()
    home.v3.refusal = ("No.", {"code": "forbidden"})
    sid, session = await home.begin()
    await session.receive("0/v3,{}")
    assert await home.heard(sid) == ['44/v3,{"message":"No.","data":{"code":"forbidden"}}']
    assert await home.heard(sid) == ["1"]
    assert sid not in home.engine.sessions


async def test_who_is_refused_in_one_namespace_stays_in_the_other() -> None:
    home = Home()
    home.v3.refusal = ("No.", {"code": "forbidden"})
    _, session = await home.begin()
    await session.receive("0/v3,{}")
    await session.receive("0/v2,{}")
    await asyncio.sleep(LAST_WORDS_SECONDS + 0.1)  # so long a refused client is kept
    assert session.ended_at is None


async def test_a_namespace_that_is_not_there_is_refused() -> None:
    home = Home()
    sid, session = await home.begin()
    for name, text in {"/": "0", "/v4": "0/v4,", "/v3/": "0/v3/,{}"}.items():
        await session.receive(text)
        (told,) = await home.heard(sid)
        data = json.loads(told[told.index("{") :])["data"]
        assert (told.startswith("44"), data) == (True, {"code": "invalid_namespace"}), name


async def test_a_second_connect_is_broken_also_while_the_first_is_looked_at() -> None:
    home = Home()
    home.v3.is_open.clear()
    _, session = await home.begin()
    first = asyncio.create_task(session.receive("0/v3,{}"))
    await asyncio.sleep(0)
    await session.receive("0/v3,{}")
    assert session.code == 1002
    home.v3.is_open.set()
    await first
    assert len(home.v3.guests) == 1


async def test_nobody_knocks_for_ever() -> None:
    home = Home()
    _, session = await home.begin()
    for _ in range(MOST_CONNECTS // 2):
        await session.receive("0/v3,{}")
        await session.receive("1/v3,")
        await session.receive("0/v4,{}")
    assert session.ended_at is None
    await session.receive("0/v3,{}")
    assert session.code == 1002


async def test_more_than_the_outbox_waiting_makes_a_slow_consumer_whose_last_words_are_still_queued() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    fitting = OUTBOX_BYTES // (len(EVENT) + PACKET_BYTES)
    for _ in range(fitting):
        session.write(EVENT)
    await asyncio.sleep(0)
    assert session.ended_at is None
    for _ in range(3):
        session.write(EVENT)
    await asyncio.sleep(0)
    assert (home.v3.guests[0].refusals, session.code) == (["slow_consumer"], 4508)
    session.write(EVENT)
    heard: list[str] = []
    while sid in home.engine.sessions:
        heard += await home.heard(sid)
    assert heard[:-2] == [EVENT.decode()] * (fitting + 3)
    assert heard[-2:] == ['42/v3,["message",{"refused":"slow_consumer"}]', "1"]


async def test_who_does_not_poll_its_last_words_is_forgotten() -> None:
    home = Home()
    _, session = await home.entered("/v3")
    session.end(1000, "")
    home.look(FLUSH_SECONDS - 1)
    assert home.engine.sessions
    home.look(2)
    assert not home.engine.sessions
    assert not home.engine.sockets


async def test_who_is_in_no_namespace_for_ten_seconds_is_ended() -> None:
    home = Home()
    _, outside = await home.begin()
    _, left = await home.entered("/v3")
    _, stays = await home.entered("/v2")
    home.look(CONNECT_SECONDS)
    await left.receive("1/v3,")
    home.look(1)
    assert (outside.reason, left.ended_at, stays.ended_at) == ("nobody connected", None, None)
    home.look(CONNECT_SECONDS)
    assert (left.reason, stays.ended_at) == ("nobody connected", None)


async def test_who_is_not_heard_for_two_pings_is_gone() -> None:
    home = Home()
    quiet_sid, _ = await home.entered("/v3")
    _, lively = await home.entered("/v2")
    home.time = SILENCE_SECONDS - 1
    lively.sign_of_life("3")
    home.look(2)
    assert quiet_sid not in home.engine.sessions
    assert (home.v3.guests[0].losses, lively.ended_at) == (1, None)
    assert home.v2.guests[0].pongs == 1


async def test_an_aborted_session_ends_once() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    home.v3.guests[0].wire.abort()
    session.lost()
    session.end(1000, "")
    assert (home.v3.guests[0].losses, session.reason, sid in home.engine.sockets) == (1, "aborted", False)
