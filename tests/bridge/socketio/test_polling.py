"""Long polling: what a POST brings, what a poll waits for, and who does two things at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from bridge.budget.accounts import Holder
from bridge.socketio.engine import FEW_PACKETS, FLUSH_SECONDS
from bridge.sockets.ports import WHEN_GONE
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.parts import EVENT, MESSAGE_BYTES, POLLING, code_of, reason_of
from tests.bridge.socketio.visits import Visit

MOST_BYTES = MESSAGE_BYTES + 1_024


def _event_of(size_bytes: int) -> bytes:
    return b'42/v3,["message",%b]' % b"{}".rjust(size_bytes - 18)


class Payer(Holder):
    """Notes what it is charged."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: list[tuple[int, int, float]] = []

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        self.charged.append((size_bytes, frames, milliseconds))


@pytest.mark.parametrize("body", [b"", b"\x1e", b"3\x1e", b"\xff", b"4", b"[]", b"2", b"\x00", b"42/v3,\xc3"])
async def test_a_post_of_what_is_no_packets_closes_its_session(visit: Visit, body: bytes) -> None:
    session = await visit.home.joined("/v3")
    answer = await visit.post(session.sid, body)
    assert (answer.status_code, answer.json()["code"], code_of(session)) == (400, 3, 1002)
    assert (await visit.get(f"{POLLING}&sid={session.sid}")).text == "1"
    assert (await visit.get(f"{POLLING}&sid={session.sid}")).status_code == 400


async def test_as_many_packets_may_be_posted_at_once_as_fit(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    assert (await visit.post(session.sid, b"3" + b"\x1e3" * ((MOST_BYTES - 1) // 2))).text == "ok"
    assert not session.is_over


async def test_a_session_that_is_over_its_budget_waits_and_nobody_else_does(visit: Visit) -> None:
    """Its POST is not answered until what it spent is paid back."""
    session, other = await visit.home.joined("/v3"), await visit.home.joined("/v3")
    session.budget.spent(Holder(), 10**9, 10**6)
    late = asyncio.create_task(visit.post(session.sid, EVENT))
    await until(lambda: session.budget.posts)
    assert (await visit.post(other.sid, EVENT)).text == "ok"
    assert (late.done(), visit.home.v3.guests[0].received) == (False, [])
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)


async def test_what_is_posted_is_charged_to_whoever_pays_for_the_client(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    payer = Payer()
    visit.home.v3.guests[0].payer = payer
    await visit.post(session.sid, EVENT + b"\x1e3")
    assert [(size, frames) for size, frames, _ in payer.charged] == [(len(EVENT), 1), (1, 1)]


async def test_a_post_of_the_limit_is_taken_and_one_over_it_is_refused_and_ends_the_session(visit: Visit) -> None:
    home = visit.home

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * MESSAGE_BYTES

    for body in (b"x" * (MOST_BYTES + 1), chunks()):
        session = await home.joined("/v3")
        assert (await visit.post(session.sid, _event_of(MOST_BYTES))).status_code == 200
        answer = await visit.post(session.sid, body)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert (home.v3.guests[-1].refusals, code_of(session)) == (["message_too_big"], 1009)
        polled = (await visit.get(f"{POLLING}&sid={session.sid}")).text
        assert polled == '42/v3,["message",{"refused":"message_too_big"}]\x1e41/v3,'


async def test_it_is_said_at_once_that_a_post_is_too_large(visit: Visit) -> None:
    """Before its body has come, and the body is then thrown away."""
    sid = (await visit.home.joined("/v3")).sid
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": f"{POLLING}&sid={sid}".encode(),
        "headers": [(b"content-length", b"1000000000")],
    }
    coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    answering = asyncio.create_task(visit.endpoint(scope, cast(Any, coming.get), send))
    await until(lambda: len(sent) == 2)
    assert (sent[0]["status"], sent[1]["body"]) == (413, b"Payload Too Large")
    for _ in range(10):
        coming.put_nowait({"type": "http.request", "body": b"x" * 100, "more_body": True})
    coming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(answering, ANSWER_SECONDS)


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "x"])
async def test_a_length_that_is_no_number_is_too_large(visit: Visit, length: str) -> None:
    sid = (await visit.home.joined("/v3")).sid
    headers = {"Content-Length": length.encode("latin-1")}
    answer = await visit.http.post(f"/?{POLLING}&sid={sid}", content=b"3", headers=cast(Any, headers))
    assert answer.status_code == 413


async def test_two_polls_at_once_close_the_session(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    first = asyncio.create_task(visit.get(f"{POLLING}&sid={session.sid}"))
    await until(lambda: session.is_polling)
    second = await visit.get(f"{POLLING}&sid={session.sid}")
    assert (second.status_code, second.json()["code"]) == (400, 3)
    assert (await first).text == "1"
    assert code_of(session) == 1002


async def test_a_second_post_waits_for_the_first_and_a_third_closes_the_session(visit: Visit) -> None:
    visit.home.v3.is_open.clear()
    session = await visit.home.begin()
    first = asyncio.create_task(visit.post(session.sid, "40/v3,{}"))
    await until(lambda: session.budget.posts == 1)
    second = asyncio.create_task(visit.post(session.sid, "3"))
    await until(lambda: session.budget.posts == 2)
    assert not second.done()
    third = await visit.post(session.sid, "3")
    assert (third.status_code, third.json()["code"], code_of(session)) == (400, 3, 1002)
    visit.home.v3.is_open.set()
    assert ((await first).status_code, (await second).status_code) == (200, 400)


async def test_the_farewell_of_a_page_that_is_left_is_said_after_what_is_under_way(visit: Visit) -> None:
    """Its poll is given up at once, and its last post waits for no answer."""
    session = await visit.home.joined("/v3")
    session.leave()
    assert (await visit.get(f"{POLLING}&sid={session.sid}")).status_code == 400
    said = [visit.post(session.sid, f'42/v3,["message",{{"n":{n}}}]{tail}') for n, tail in ((1, ""), (2, "\x1e1"))]
    assert [answer.status_code for answer in await asyncio.gather(*said)] == [200, 200]
    assert [text for text, _receipt in visit.home.v3.guests[0].received] == ['{"n":1}', '{"n":2}']
    assert reason_of(session) == "closed by the client"


async def test_a_poll_whose_client_goes_away_ends_its_session(visit: Visit) -> None:
    calls: list[Callable[[], None]] = []
    session = await visit.home.joined("/v3")
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": f"{POLLING}&sid={session.sid}".encode(),
        "headers": [],
        "extensions": {WHEN_GONE: calls.append},
    }

    async def never() -> Any:
        raise AssertionError("a poll has no body")

    async def send(_message: Any) -> None: ...

    polling = asyncio.create_task(visit.endpoint(scope, never, send))
    await until(lambda: session.is_polling)
    calls[0]()
    await asyncio.wait_for(polling, ANSWER_SECONDS)
    calls[1]()  # whatever its socket asks for next is not this poll
    assert (reason_of(session), visit.home.v3.guests[0].losses) == ("the client went away", 1)
    assert session.sid not in visit.home.sids


async def test_a_poll_that_is_answered_ends_nothing(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    polling = asyncio.create_task(visit.get(f"{POLLING}&sid={session.sid}"))
    await until(lambda: session.is_polling)
    session.write(EVENT)
    assert (await polling).content == EVENT
    assert (session.is_polling, session.is_over) == (False, False)


async def test_an_upgraded_session_neither_polls_nor_posts(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    session.engine.transport = "websocket"
    answers = [await visit.get(f"{POLLING}&sid={session.sid}"), await visit.post(session.sid, "3")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, 3)] * 2
    assert not session.is_over


async def test_a_post_that_comes_again_is_not_handled_again(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    received = visit.home.v3.guests[0].received
    for number, count in ((1, 1), (1, 1), (2, 2), (1, 2), (3, 3), ("", 4), ("", 5)):
        assert (await visit.post(session.sid, EVENT, f"{POLLING}&n={number}")).text == "ok"
        assert len(received) == count


async def test_a_poll_that_comes_again_ends_its_session_and_the_client_connects_again(visit: Visit) -> None:
    """What answered it the first time has not arrived."""
    session = await visit.home.joined("/v3")
    for number in (1, 2):
        session.write(EVENT)
        assert (await visit.get(f"{POLLING}&sid={session.sid}&n={number}")).text == EVENT.decode()
    session.write(EVENT)
    answer = await visit.get(f"{POLLING}&sid={session.sid}&n=2")
    assert (answer.status_code, answer.json()["code"]) == (400, 1)
    assert (session.is_over, visit.home.v3.guests[0].losses, visit.home.sids) == (True, 1, [])


@pytest.mark.parametrize(
    ("mark", "number"),
    [("", FEW_PACKETS), ("&t=1732912345.123", FEW_PACKETS), ("&t=PqRs", 40), ("&t=0x1abcd", 40), ("&n=7", 40)],
)
async def test_who_takes_any_number_of_packets_is_given_all(visit: Visit, mark: str, number: int) -> None:
    session = await visit.home.joined("/v3")
    for _ in range(40):
        session.write(EVENT)
    assert len((await visit.get(f"{POLLING}&sid={session.sid}{mark}")).text.split("\x1e")) == number


async def test_what_is_posted_before_a_client_can_know_that_it_was_sent_away_is_said(visit: Visit) -> None:
    home = visit.home
    session = await home.joined("/v2")
    guest = home.v2.guests[0]
    guest.wire.begin_close(4410, "v2_retired")
    polls = [(await visit.get(f"{POLLING}&sid={session.sid}")).text for _ in range(2)]
    assert polls == ["41/v2,", "1"]
    assert (await visit.post(session.sid, b'42/v2,["message","late"]')).text == "ok"
    assert guest.received == [("late", None)]
    assert (await visit.get(f"{POLLING}&sid={session.sid}")).status_code == 400
    home.look(FLUSH_SECONDS + 1)
    assert (await visit.post(session.sid, b'42/v2,["message","too late"]')).status_code == 400
    assert home.sids == []


async def test_nothing_more_is_heard_of_a_client_that_was_refused(visit: Visit) -> None:
    home = visit.home
    session = await home.joined("/v2")
    home.v2.guests[0].wire.begin_close(4429, "rate_limited")
    assert (await visit.post(session.sid, b'42/v2,["message","late"]')).status_code == 400
    assert home.v2.guests[0].received == []


async def test_who_shall_come_back_is_told_that_there_is_no_such_session(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    visit.home.v3.guests[0].wire.begin_close(1012, "going_away")
    answer = await visit.get(f"{POLLING}&sid={session.sid}")
    assert (answer.status_code, answer.json()["code"]) == (400, 1)
