"""One Engine.IO session: what a client may say in it, when it ends, and what is still heard then."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref

import pytest

from bridge.budget.drain import MOST_TIMES
from bridge.budget.outboxes import MUCH_BYTES
from bridge.socketio import session as session_module
from bridge.socketio.engine import FLUSH_SECONDS, PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS
from bridge.socketio.namespaces import MOST_CONNECTS
from bridge.socketio.outgoing import PACKET_BYTES
from bridge.socketio.pending_sessions import CONNECT_SECONDS
from bridge.socketio.session import LAST_WORDS_SECONDS
from tests.bridge.broker.parts import until
from tests.bridge.socketio.parts import (
    EVENT,
    MESSAGE_BYTES,
    OUTBOX_BYTES,
    Home,
    Logged,
    Wire,
    code_of,
    heard,
    reason_of,
)

SILENCE_SECONDS = PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS


async def test_a_client_is_let_in_under_a_name_that_is_not_its_secret() -> None:
    home = Home()
    session = await home.begin()
    await session.receive_in_turn("40/v3,{}")
    (told,) = await heard(session)
    assert told.startswith("40/v3,")
    assert json.loads(told[6:])["sid"] not in ("", session.sid)


async def test_what_is_sent_with_connect_counts_before_the_query_and_a_doubled_field_stays_doubled() -> None:
    home = Home()
    session = await home.begin("EIO=4&transport=polling&api_key=a&api_key=b&client_id=c&group_id=")
    await session.receive_in_turn('40/v3,{"client_id":"d","jwt":"j"}')
    (guest,) = home.v3.guests
    keys = [("api_key", "a"), ("api_key", "b")]
    sent = [("client_id", "d"), ("jwt", "j")]
    assert guest.query == [("EIO", "4"), ("transport", "polling"), *keys, ("group_id", ""), *sent]
    assert guest.given["client_id"] == "d"


async def test_an_event_is_received_as_its_text_and_one_that_asks_is_answered() -> None:
    home = Home()
    session = await home.joined("/v3")
    await session.receive_in_turn('42/v3,["message",{"a": 1.0}]')
    await session.receive_in_turn('42/v3,7["message",{"b":2}]')
    (first, no_receipt), (second, answer) = home.v3.guests[0].received
    assert (first, no_receipt, second) == ('{"a": 1.0}', None, '{"b":2}')
    answer({"ok": True})
    assert await heard(session) == ['43/v3,7[{"ok":true}]']


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            "[]",
            "x",
            "4",
            '2["message",{}]',
            '2/v2,["message",{}]',
            "1/v2,",
            "2/v3,[]",
            "2/v3,{}",
        ),
        *('2/v3,["message"', "0/v3,{}", "0/v3,[]"),
    ],
)
async def test_what_is_no_packet_or_comes_out_of_turn_closes_the_session(said: str) -> None:
    home = Home()
    session = await home.joined("/v3")
    await session.receive_in_turn(f"4{said}")
    assert (code_of(session), home.sessions.broken, home.v3.guests[0].losses) == (1002, 1, 1)
    assert await heard(session) == ["1"]
    await session.receive_in_turn('42/v3,["message",{}]')
    assert home.v3.guests[0].received == []


@pytest.mark.parametrize("said", ["3/v3,1[]", "3/none,1[]", "3[]"])
async def test_an_answer_that_nobody_asked_for_is_passed_over(said: str) -> None:
    session = await Home().joined("/v3")
    await session.receive_in_turn(f"4{said}")
    assert not session.is_over


async def test_a_fault_of_ours_ends_nobodys_session(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    session = await home.joined("/v3")
    logged = Logged()
    monkeypatch.setattr(session_module, "log", logged)
    await session.receive_in_turn('42/v3,["message","a fault of ours"]')
    await session.receive_in_turn('42/v3,["message","next"]')
    assert [text for text, _ in home.v3.guests[0].received] == ["a fault of ours", "next"]
    assert (session.is_over, home.sessions.broken) == (False, 0)
    assert (logged.events, home.counts.errors) == (["message_failed"], 1)


async def test_a_message_over_the_limit_is_refused() -> None:
    home = Home()
    session = await home.joined("/v3")
    await session.receive_in_turn(f'42/v3,["message","{"x" * MESSAGE_BYTES}"]')
    assert len(home.v3.guests[0].received) == 1
    await session.receive_in_turn(f'42/v3,1["message","{"é" * (MESSAGE_BYTES // 2)}x"]')
    assert home.v3.guests[0].refusals == ["message_too_big"]
    assert code_of(session) == 1009
    assert (await heard(session))[-1] == "41/v3,"
    assert await heard(session) == ["1"]


async def test_a_client_may_be_in_both_namespaces_and_leave_each() -> None:
    home = Home()
    session = await home.joined("/v3", "/v2")
    await session.receive_in_turn("41/v3,")
    assert (home.v3.guests[0].losses, home.v2.guests[0].losses, session.is_over) == (1, 0, False)
    home.v2.guests[0].wire.begin_close(4410, "v2_retired")
    assert (home.v2.guests[0].losses, code_of(session), reason_of(session)) == (1, 4410, "v2_retired")
    assert [await heard(session), await heard(session)] == [["41/v2,"], ["1"]]


async def test_who_shall_come_back_loses_the_session_without_being_told_to_disconnect() -> None:
    """No client returns by itself from a disconnect; from a lost session every one does."""
    home = Home()
    session = await home.joined("/v3", "/v2")
    for guest in (*home.v3.guests, *home.v2.guests):
        guest.close_code = 1012
        guest.refuse("going_away")
    assert code_of(session) == 1012
    assert [packet[:2] for packet in await heard(session)] == ["42", "42"]
    assert await heard(session) == [""]


async def test_who_shall_come_back_to_one_namespace_comes_back_to_both() -> None:
    home = Home()
    session = await home.joined("/v3", "/v2")
    home.v3.guests[0].wire.begin_close(1012, "going_away")
    await asyncio.sleep(0)
    assert (code_of(session), home.v2.guests[0].losses) == (1012, 1)


async def test_a_refused_client_hears_why_and_is_closed_within_a_second() -> None:
    home = Home()
    home.v3.refusal = ("No.", {"code": "forbidden"})
    session = await home.begin()
    await session.receive_in_turn("40/v3,{}")
    assert await heard(session) == ['44/v3,{"message":"No.","data":{"code":"forbidden"}}']
    assert await heard(session) == ["1"]
    assert session.sid not in home.sids


async def test_who_is_refused_in_one_namespace_stays_in_the_other() -> None:
    home = Home()
    home.v3.refusal = ("No.", {"code": "forbidden"})
    session = await home.begin()
    await session.receive_in_turn("40/v3,{}")
    await session.receive_in_turn("40/v2,{}")
    await asyncio.sleep(LAST_WORDS_SECONDS + 0.1)  # so long a refused client is kept
    assert not session.is_over


async def test_a_namespace_that_is_not_there_is_refused() -> None:
    home = Home()
    session = await home.begin()
    for name, text in {"/": "0", "/v4": "0/v4,", "/v3/": "0/v3/,{}"}.items():
        await session.receive_in_turn(f"4{text}")
        (told,) = await heard(session)
        data = json.loads(told[told.index("{") :])["data"]
        assert (told.startswith("44"), data) == (True, {"code": "invalid_namespace"}), name


async def test_a_second_connect_is_broken_also_while_the_first_is_looked_at() -> None:
    home = Home()
    home.v3.is_open.clear()
    session = await home.begin()
    first = asyncio.create_task(session.receive_in_turn("40/v3,{}"))
    await asyncio.sleep(0)
    await session.receive_in_turn("40/v3,{}")
    assert code_of(session) == 1002
    home.v3.is_open.set()
    await first
    assert len(home.v3.guests) == 1


async def test_nobody_knocks_for_ever() -> None:
    home = Home()
    session = await home.begin()
    for _ in range(MOST_CONNECTS // 2):
        await session.receive_in_turn("40/v3,{}")
        await session.receive_in_turn("41/v3,")
        await session.receive_in_turn("40/v4,{}")
    assert not session.is_over
    await session.receive_in_turn("40/v3,{}")
    assert code_of(session) == 1002


async def test_more_than_the_outbox_waiting_makes_a_slow_consumer_who_is_told_so_at_its_next_poll() -> None:
    """What waited is dropped: taken sixteen by sixteen, it would keep the refusal back until nobody waits for it."""
    home = Home()
    session = await home.joined("/v3")
    fitting = MOST_TIMES * OUTBOX_BYTES // (len(EVENT) + PACKET_BYTES)
    for _ in range(fitting):
        session.write(EVENT)
    await asyncio.sleep(0)
    assert not session.is_over
    for _ in range(3):
        session.write(EVENT)
    await asyncio.sleep(0)
    assert (home.v3.guests[0].refusals, code_of(session)) == (["slow_consumer"], 4508)
    session.write(EVENT)
    assert await heard(session) == ['42/v3,["message",{"refused":"slow_consumer"}]']
    assert await heard(session) == [""]
    assert session.sid not in home.sids


async def test_what_waits_for_polls_counts_for_all_outboxes_until_it_is_taken() -> None:
    home = Home()
    home.sessions = home.sessions_with(2 * MUCH_BYTES)
    home.sessions.doors["/v3"] = home.v3
    session = await home.joined("/v3")
    large = EVENT + b" " * (MUCH_BYTES + 1)
    session.write(large)
    assert home.budget.outboxes.waiting_bytes == len(large) + PACKET_BYTES
    await heard(session)
    assert home.budget.outboxes.waiting_bytes == 0


async def test_who_polls_nothing_is_cut_where_all_outboxes_hold_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home()
    home.sessions = home.sessions_with(2 * MUCH_BYTES)
    home.sessions.doors["/v3"] = home.v3
    session, other = await home.joined("/v3"), await home.joined("/v3")
    monkeypatch.setattr(home.budget.outboxes, "most_bytes", MUCH_BYTES)
    session.write(EVENT + b" " * (MUCH_BYTES + 1))
    other.write(EVENT)
    home.budget.outboxes.look()
    assert (home.v3.guests[0].refusals, other.is_over) == (["slow_consumer"], False)
    assert await heard(session) == ['42/v3,["message",{"refused":"slow_consumer"}]']


async def test_who_does_not_poll_its_last_words_is_forgotten() -> None:
    home = Home()
    session = await home.joined("/v3")
    session.end(1000, "")
    home.look(FLUSH_SECONDS - 1)
    assert home.sids
    home.look(2)
    assert not home.sids


async def test_who_is_in_no_namespace_for_ten_seconds_is_ended() -> None:
    home = Home()
    pending = await home.begin()
    left = await home.joined("/v3")
    stays = await home.joined("/v2")
    home.look(CONNECT_SECONDS)
    await left.receive_in_turn("41/v3,")
    home.look(1)
    assert (reason_of(pending), left.is_over, stays.is_over) == ("nobody connected", False, False)
    home.look(CONNECT_SECONDS)
    assert (reason_of(left), stays.is_over) == ("nobody connected", False)


async def test_who_is_not_heard_for_two_pings_is_gone() -> None:
    home = Home()
    quiet = await home.joined("/v3")
    lively = await home.joined("/v2")
    home.time = SILENCE_SECONDS - 1
    await lively.receive_in_turn("3")
    home.look(2)
    assert quiet.sid not in home.sids
    assert (home.v3.guests[0].losses, lively.is_over) == (1, False)
    assert home.v2.guests[0].pongs == 1


async def test_a_ping_is_said_and_its_answer_lets_the_next_one_follow() -> None:
    home = Home()
    session = await home.joined("/v3")
    for number in (1, 2, 3):
        home.look(PING_INTERVAL_SECONDS)
        assert await heard(session) == ["2"]
        await session.receive_in_turn("3")
        assert home.v3.guests[0].pongs == number


async def test_a_client_that_says_goodbye_is_gone() -> None:
    home = Home()
    session = await home.joined("/v3")
    for packet in ('42/v3,["message",1]', "1", '42/v3,["message",2]'):
        await session.receive_in_turn(packet)
    assert [said for said, _ in home.v3.guests[0].received] == ["1"]
    assert (code_of(session), home.v3.guests[0].losses) == (1000, 1)


async def test_an_aborted_session_ends_once() -> None:
    home = Home()
    session = await home.joined("/v3")
    home.v3.guests[0].wire.abort()
    session.lost()
    session.end(1000, "")
    assert (home.v3.guests[0].losses, reason_of(session), home.sids) == (1, "aborted", [])


async def test_what_comes_over_a_websocket_while_a_client_joins_is_received_after_that_and_the_rest_at_once() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3")
    home.v2.is_open.clear()
    for packet in ("40/v2,{}", '42/v2,["message",1]', '42/v3,["message",2]', '42/v2,["message",3]'):
        session.receive(packet)
    assert [said for said, _ in home.v3.guests[0].received] == ["2"]
    home.v2.is_open.set()
    await until(lambda: bool(home.v2.guests and len(home.v2.guests[0].received) == 2))
    assert [said for said, _ in home.v2.guests[0].received] == ["1", "3"]


async def test_who_is_gone_is_not_admitted_any_more() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3")
    home.v2.is_open.clear()
    session.receive("40/v2,{}")
    await asyncio.sleep(0)
    (joining,) = session._joins
    session.lost()
    await asyncio.gather(joining, return_exceptions=True)
    assert (joining.cancelled(), home.v2.guests, session._joins) == (True, [], set())


async def test_a_fault_of_ours_while_a_client_joins_ends_nobodys_session(monkeypatch: pytest.MonkeyPatch) -> None:
    home, logged = Home(), Logged()
    session = await home.joined("/v3")
    monkeypatch.setattr(home.v2, "enter", None)
    monkeypatch.setattr(session_module, "log", logged)
    await session.receive_in_turn("40/v2,{}")
    assert (session.is_over, logged.events, home.counts.errors) == (False, ["message_failed"], 1)


async def test_a_session_over_a_websocket_is_closed_behind_its_last_words_and_forgotten() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3")
    home.v3.guests[0].wire.begin_close(4410, "v2_retired", EVENT)
    assert (wire.heard[-3:], wire.closes) == ([EVENT.decode(), "41/v3,", "1"], [(4410, "v2_retired")])
    assert (home.v3.guests[0].losses, home.sids, session.over.done()) == (1, [], True)


@pytest.mark.parametrize(
    ("code", "closes"),
    [("slow_consumer", [(4508, "slow_consumer")]), ("binary_not_supported", [(4508, "binary_not_supported")])],
)
async def test_what_its_websocket_refuses_every_namespace_is_told_and_the_session_ends(
    code: str, closes: list[tuple[int, str]]
) -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3", "/v2")
    session.refuse(code)
    await asyncio.sleep(0)
    assert (wire.closes, home.sids) == (closes, [])
    assert [guest.losses for guest in (*home.v3.guests, *home.v2.guests)] == [1, 1]
    assert [guest.refusals for guest in (*home.v3.guests, *home.v2.guests)] == [[code], [code]]


async def test_who_is_refused_a_message_unread_stays_while_it_is_in_a_namespace() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3")
    session.refuse("rate_limited")
    assert (home.v3.guests[0].refusals, session.is_over) == (["rate_limited"], False)
    session.receive("41/v3,")
    session.refuse("rate_limited")
    assert wire.closes == [(1008, "rate_limited")]


async def test_who_has_taken_all_that_its_websocket_brought_has_done_so_in_every_namespace_that_hears_it() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3", "/v2")
    (staying,), (moved,) = home.v3.guests, home.v2.guests
    session.dismiss("/v2", 4426, "moved_to_v3")
    session.taken_all()
    assert (staying.has_taken_all, moved.has_taken_all) == (True, True)


async def test_a_websocket_that_is_lost_takes_its_session_along() -> None:
    home, wire = Home(), Wire()
    session = await home.joined_over(wire, "/v3")
    for _ in range(2):
        session.lost()
    assert (home.v3.guests[0].losses, home.sids, session.over.done()) == (1, [], True)


@pytest.mark.parametrize("is_polling", [True, False])
async def test_a_session_that_is_over_is_freed_at_once(is_polling: bool) -> None:  # noqa: FBT001
    """It leaves no cycle behind, which only a look for garbage would end."""
    home, wire = Home(), Wire()
    session = await (home.joined("/v3") if is_polling else home.joined_over(wire, "/v3"))
    await session.receive_in_turn('42/v3,7["message",1]')
    over = weakref.ref(session)
    gc.disable()
    try:
        session.end(1000, "")
        await (session.answer() if is_polling else asyncio.sleep(0))
        del session
        home.v3.guests.clear()
        wire.attached.clear()
        assert over() is None
    finally:
        gc.enable()
