"""Engine.IO of one session, as a state machine."""

from __future__ import annotations

import json

import pytest
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.drain import OutboxBounds
from bridge.socketio import packets
from bridge.socketio.engine import (
    ANSWER_BYTES,
    FEW_PACKETS,
    FLUSH_SECONDS,
    PING_INTERVAL_SECONDS,
    PING_TIMEOUT_SECONDS,
    Engine,
    Transport,
)
from bridge.socketio.packets import BINARY, Broken, may_come

SILENCE_SECONDS = PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS


def engine(transport: Transport = "polling") -> Engine:
    return Engine("secret", transport, OutboxBounds(10_000), 0.0)


def test_our_packets_have_the_numbers_of_other_servers() -> None:
    """python-engineio's client is in every suite; its server is where these were read."""
    assert (CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP) == (1, 2, 3, 4, 5, 6)
    ours = (packets.CLOSE, packets.PING, packets.PROBED, packets.NOOP)
    theirs = (Packet(CLOSE), Packet(PING), Packet(PONG, data="probe"), Packet(NOOP))
    assert [one.decode() for one in ours] == [one.encode() for one in theirs]


@given(st.text())
def test_what_we_let_through_another_server_reads_as_it_stands(rest: str) -> None:
    for said in (rest, f"4{rest}", f"42{rest}"):
        if may_come(said) and not said.startswith(BINARY):
            packet = Packet(encoded_packet=said)
            assert f"{packet.packet_type}{packet.data}" == said


@pytest.mark.parametrize("said", ["", "0", "2", "2probe", "5", "6", "1x", "33", "4", "4x", "4[", "47", "4²", "٤2"])
@pytest.mark.parametrize("transport", ["polling", "probed", "websocket"])
def test_what_a_client_may_not_send_at_any_time_is_broken(said: str, transport: Transport) -> None:
    with pytest.raises(Broken):
        engine(transport).receive(said, 0.0)


def test_a_packet_is_a_message_a_pong_or_a_goodbye() -> None:
    assert [engine().receive(said, 0.0) for said in ("42[]", "3", "1")] == ["message", "pong", "goodbye"]


@pytest.mark.parametrize(("transport", "upgrades"), [("polling", ["websocket"]), ("websocket", [])])
def test_the_opening_says_what_a_client_needs(transport: Transport, upgrades: list[str]) -> None:
    assert engine(transport).opening(2_024) == (
        b'0{"sid":"secret","upgrades":%b,"pingTimeout":%d,"pingInterval":%d,"maxPayload":2024}'
        % (json.dumps(upgrades).encode(), PING_TIMEOUT_SECONDS * 1_000, PING_INTERVAL_SECONDS * 1_000)
    )


def test_a_poll_brings_no_more_packets_than_every_client_takes() -> None:
    one = engine()
    for number in range(FEW_PACKETS + 3):
        one.outgoing.put(b"%d" % number)
    bodies = [one.answer(FEW_PACKETS).split(b"\x1e"), one.answer(FEW_PACKETS).split(b"\x1e")]
    assert [int(packet) for body in bodies for packet in body] == list(range(FEW_PACKETS + 3))
    assert [len(body) for body in bodies] == [FEW_PACKETS, 3]


def test_the_close_comes_alone_after_all_else() -> None:
    one = engine()
    assert not one.has_answer
    one.outgoing.put(b"last words")
    assert one.close(1000, "", 0.0)
    assert [one.answer(FEW_PACKETS), one.answer(FEW_PACKETS)] == [b"last words", b"1"]
    assert one.has_answer


def test_a_session_ends_once() -> None:
    one = engine()
    assert one.close(4410, "v2_retired", 7.0)
    assert not one.close(1000, "", 8.0)
    assert (one.end and (one.end.code, one.end.reason, one.end.at_seconds)) == (4410, "v2_retired", 7.0)


def test_an_upgrade_is_a_probe_and_its_second_packet() -> None:
    one = engine()
    assert one.receive_upgrade("2probe", 0.0) == b"3probe"
    one.outgoing.put(b"a message")
    assert (one.has_answer, [one.answer(FEW_PACKETS) for _ in range(3)]) == (True, [b"6"] * 3)
    assert one.receive_upgrade("5", 0.0) == b""
    assert (one.transport, one.outgoing.take_all()) == ("websocket", [b"6", b"a message"])


def test_an_upgrade_that_is_given_up_leaves_the_session_polling() -> None:
    one = engine()
    one.give_up_upgrade()
    one.receive_upgrade("2probe", 0.0)
    one.give_up_upgrade()
    one.outgoing.put(b"a message")
    assert (one.transport, one.answer(FEW_PACKETS)) == ("polling", b"6\x1ea message")
    assert one.receive_upgrade("2probe", 0.0) == b"3probe"


@pytest.mark.parametrize(
    ("before", "said"),
    [
        *[([], said) for said in ("5", "2", "2probes", "3", "42[]", "", "1")],
        *[(["2probe"], said) for said in ("2probe", "5x", "3", "42[]", "", "1")],
        *[(["2probe", "5"], said) for said in ("2probe", "5")],
    ],
)
def test_an_upgrade_that_goes_another_way_is_broken(before: list[str], said: str) -> None:
    one = engine()
    for packet in before:
        one.receive_upgrade(packet, 0.0)
    with pytest.raises(Broken):
        one.receive_upgrade(said, 0.0)


def test_a_ping_is_due_once_and_its_answer_lets_the_next_one_follow() -> None:
    one, now = engine(), 0.0
    for _ in range(3):
        now += PING_INTERVAL_SECONDS
        assert [one.due(now - 1), one.due(now), one.due(now + 1)] == [None, "ping", None]
        now += 5
        one.receive("3", now)


def test_a_pong_that_nobody_asked_for_puts_off_no_ping() -> None:
    one = engine()
    one.receive("3", PING_INTERVAL_SECONDS - 1)
    assert one.due(PING_INTERVAL_SECONDS) == "ping"


@pytest.mark.parametrize("said", ["3", "42[]", "1"])
def test_who_is_not_heard_for_two_pings_is_silent(said: str) -> None:
    one = engine()
    one.receive(said, 100.0)
    one.due(100.0)
    assert one.due(100.0 + SILENCE_SECONDS) is None
    assert one.due(101.0 + SILENCE_SECONDS) == "silence"


def test_what_no_poll_takes_in_time_is_given_up() -> None:
    one = engine()
    one.close(1000, "", 100.0)
    assert [one.due(100.0 + FLUSH_SECONDS), one.due(101.0 + FLUSH_SECONDS)] == [None, "unflushed"]


def test_a_client_that_takes_any_number_gets_as_many_packets_as_fit() -> None:
    one = engine()
    for _ in range(3):
        one.outgoing.put(b"x" * (ANSWER_BYTES // 2 - 10))
    for _ in range(100):
        one.outgoing.put(b"y")
    assert [len(one.answer(ANSWER_BYTES).split(b"\x1e")) for _ in range(2)] == [2, 101]


def test_binary_data_is_known_as_such() -> None:
    assert engine().receive("bAAEC", 0.0) == "binary"


@pytest.mark.parametrize(
    ("code", "last"), [(1012, b""), (4503, b""), (4508, b""), (1006, b""), (4499, b"1"), (1003, b"1")]
)
def test_who_shall_come_back_is_not_told_that_the_server_wants_it_gone(code: int, last: bytes) -> None:
    one = engine()
    one.close(code, "", 0.0)
    assert (one.answer(FEW_PACKETS), one.last_packet) == (last, last)


def test_any_sign_of_life_keeps_a_client_that_answers_no_ping() -> None:
    one = engine()
    assert one.due(PING_INTERVAL_SECONDS) == "ping"
    one.heard(SILENCE_SECONDS - 1.0)
    assert one.due(SILENCE_SECONDS + 1.0) is None
    assert one.due(2 * SILENCE_SECONDS) == "silence"
