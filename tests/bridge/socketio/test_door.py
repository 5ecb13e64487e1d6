"""`/socket.io/` as HTTP: what is asked in the wrong way is answered before any session hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from bridge.handshake.preflight import Preflight
from bridge.socketio import engine as engine_module
from bridge.socketio.door import EngineDoor
from bridge.sockets.later import later
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.engine_parts import MESSAGE_BYTES, Home
from tests.bridge.socketio.test_session import EVENT

POLLING = "EIO=4&transport=polling"
MOST_BYTES = MESSAGE_BYTES + 1_024
FOREIGN = "http://elsewhere.test"


class Desk:
    """A preflight that turns away foreigners, and everyone who is new where it is told so."""

    def __init__(self) -> None:
        self.is_busy = False

    def refusal(self, headers: Headers) -> Response | None:
        if headers.get("origin") == FOREIGN:
            return JSONResponse({"code": "forbidden_origin"}, 403)
        return later("bus_down", "Later.") if self.is_busy else None


class Visit:
    """A door with its engine, and a client of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.desk = Desk()
        self.door = EngineDoor(home.engine, cast(Preflight, self.desk))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.door), base_url="http://bridge.test")

    async def get(self, query: str = POLLING, **how: Any) -> httpx.Response:
        return await asyncio.wait_for(self.http.get(f"/?{query}", **how), ANSWER_SECONDS)

    async def post(self, sid: str, body: Any, query: str = POLLING) -> httpx.Response:
        return await asyncio.wait_for(self.http.post(f"/?{query}&sid={sid}", content=body), ANSWER_SECONDS)


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    one = Visit(Home())
    async with one.http:
        yield one


async def test_a_client_polls_and_posts(visit: Visit) -> None:
    opening = await visit.get()
    (sid,) = visit.home.engine.sessions
    assert (opening.status_code, opening.text[:9]) == (200, '0{"sid":"')
    assert opening.headers["content-type"] == "text/plain; charset=utf-8"
    assert opening.headers["cache-control"] == "no-store"
    assert (await visit.post(sid, '40/v3,{"client_id":"c"}')).text == "ok"
    assert (await visit.get(f"{POLLING}&sid={sid}")).text.startswith("40/v3,")
    assert (await visit.post(sid, '42/v3,["message",1]\x1e3\x1e42/v3,["message","é"]')).text == "ok"
    assert [said for said, _ in visit.home.v3.guests[0].received] == ["1", "é"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 0),
        ("EIO=4", 0),
        ("EIO=4&transport=websocket", 0),
        ("EIO=4&transport=Polling", 0),
        ("EIO=4&transport=polling&transport=polling", 0),
        ("EIO=4&transport=", 0),
        ("&".join(["x=1"] * 70 + [POLLING]), 0),
        ("transport=polling", 5),
        ("EIO=3&transport=polling", 5),
        ("EIO=5&transport=polling", 5),
        ("EIO=3&EIO=4&transport=polling", 5),
        ("EIO=4&EIO=4&transport=polling", 5),
        ("EIO=4&transport=polling&j=0", 5),
        ("EIO=4&transport=polling&sid=", 1),
        ("EIO=4&transport=polling&sid=nobody", 1),
        ("EIO=4&transport=polling&sid=%00%ff", 1),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_wrong_query_is_answered_with_400(visit: Visit, query: str, number: int, method: str) -> None:
    answer = await visit.http.request(method, f"/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, number)
    assert not visit.home.engine.sessions


async def test_a_session_that_is_named_twice_is_none(visit: Visit) -> None:
    """The library reads the first, and others the last."""
    sid, _ = await visit.home.entered("/v3")
    for sids in (f"sid={sid}&sid={sid}", f"sid=x&sid={sid}", f"sid={sid}&sid=x"):
        answers = [await visit.get(f"{POLLING}&{sids}"), await visit.http.post(f"/?{POLLING}&{sids}", content="3")]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, 1)] * 2


async def test_a_post_needs_a_session(visit: Visit) -> None:
    answer = await visit.http.post(f"/?{POLLING}", content="40")
    assert (answer.status_code, answer.json()["code"]) == (400, 1)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_another_method_is_not_allowed(visit: Visit, method: str) -> None:
    answer = await visit.http.request(method, f"/?{POLLING}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


@pytest.mark.parametrize(
    "body", [b"", b"\x1e", b"3\x1e", b"\xff", b"4", b"[]", b"2", b"\x00", b"42/v3,\xc3", b"3" + b"\x1e3" * 16]
)
async def test_a_post_of_what_is_no_packets_closes_its_session(visit: Visit, body: bytes) -> None:
    sid, session = await visit.home.entered("/v3")
    answer = await visit.post(sid, body)
    assert (answer.status_code, answer.json()["code"], session.code) == (400, 3, 1002)
    assert (await visit.get(f"{POLLING}&sid={sid}")).text == "1"
    assert (await visit.get(f"{POLLING}&sid={sid}")).status_code == 400


async def test_sixteen_packets_may_be_posted_at_once(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")
    assert (await visit.post(sid, b"3" + b"\x1e3" * 15)).text == "ok"
    assert session.ended_at is None


async def test_a_post_over_the_limit_is_too_large_and_the_session_lives(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * MESSAGE_BYTES

    for body in (b"x" * (MOST_BYTES + 1), chunks()):
        answer = await visit.post(sid, body)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert session.ended_at is None
    assert (await visit.post(sid, b"42/v3," + b" " * (MOST_BYTES - 6))).status_code == 200


async def test_it_is_said_at_once_that_a_post_is_too_large(visit: Visit) -> None:
    """Before its body has come, and the body is then thrown away."""
    sid, _ = await visit.home.entered("/v3")
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

    answering = asyncio.create_task(visit.door(scope, cast(Any, coming.get), send))
    await until(lambda: len(sent) == 2)
    assert (sent[0]["status"], sent[1]["body"]) == (413, b"Payload Too Large")
    for _ in range(10):
        coming.put_nowait({"type": "http.request", "body": b"x" * 100, "more_body": True})
    coming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(answering, ANSWER_SECONDS)


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "x"])
async def test_a_length_that_is_no_number_is_too_large(visit: Visit, length: str) -> None:
    sid, _ = await visit.home.entered("/v3")
    headers = {"Content-Length": length.encode("latin-1")}
    answer = await visit.http.post(f"/?{POLLING}&sid={sid}", content=b"3", headers=cast(Any, headers))
    assert answer.status_code == 413


async def test_two_polls_at_once_close_the_session(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")
    first = asyncio.create_task(visit.get(f"{POLLING}&sid={sid}"))
    await until(lambda: session.is_polling)
    second = await visit.get(f"{POLLING}&sid={sid}")
    assert (second.status_code, second.json()["code"]) == (400, 3)
    assert (await first).text == "1"
    assert session.code == 1002


async def test_two_posts_at_once_close_the_session(visit: Visit) -> None:
    visit.home.v3.is_open.clear()
    sid, session = await visit.home.begin()
    first = asyncio.create_task(visit.post(sid, "40/v3,{}"))
    await until(lambda: session.is_posting)
    second = await visit.post(sid, "3")
    assert (second.status_code, second.json()["code"], session.code) == (400, 3, 1002)
    visit.home.v3.is_open.set()
    assert (await first).status_code == 200


async def test_a_poll_whose_client_goes_away_ends_its_session(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": f"{POLLING}&sid={sid}".encode(),
        "headers": [],
    }
    coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    coming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(_message: Any) -> None: ...

    polling = asyncio.create_task(visit.door(scope, cast(Any, coming.get), send))
    await until(lambda: session.is_polling)
    coming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(polling, ANSWER_SECONDS)
    assert (session.reason, visit.home.v3.guests[0].losses) == ("the client went away", 1)
    assert sid not in visit.home.engine.sessions


async def test_a_poll_that_is_answered_ends_nothing(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")
    polling = asyncio.create_task(visit.get(f"{POLLING}&sid={sid}"))
    await until(lambda: session.is_polling)
    session.write(EVENT)
    assert (await polling).content == EVENT
    assert (session.is_polling, session.ended_at) == (False, None)


async def test_an_upgraded_session_neither_polls_nor_posts(visit: Visit) -> None:
    sid, session = await visit.home.entered("/v3")
    visit.home.engine.sockets[sid].upgraded = True
    answers = [await visit.get(f"{POLLING}&sid={sid}"), await visit.post(sid, "3")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, 3)] * 2
    assert session.ended_at is None


async def test_who_is_new_is_turned_away_where_there_is_no_room_and_a_session_goes_on(visit: Visit) -> None:
    sid, _ = await visit.home.entered("/v3")
    visit.desk.is_busy = True
    answer = await visit.get()
    assert (answer.status_code, answer.json()["code"]) == (503, "bus_down")
    assert (await visit.post(sid, "3")).status_code == 200
    busy = await visit.get(headers={"Origin": "http://page.test"})
    assert 1 <= int(busy.headers["retry-after"]) <= 5
    assert busy.headers["access-control-allow-origin"] == "http://page.test"


async def test_a_newcomer_always_gets_in_and_who_is_in_a_namespace_stays(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid, _ = await visit.home.entered("/v3")
    monkeypatch.setattr(engine_module, "MOST_OUTSIDE", 3)
    assert [(await visit.get()).status_code for _ in range(5)] == [200] * 5
    assert len(visit.home.engine.sessions) == 4
    assert (await visit.post(sid, "3")).status_code == 200


async def test_a_foreign_page_is_told_nothing_and_may_read_nothing(visit: Visit) -> None:
    sid, _ = await visit.home.entered("/v3")
    for method, query in (("GET", POLLING), ("POST", f"{POLLING}&sid={sid}"), ("OPTIONS", POLLING), ("PUT", "")):
        answer = await visit.http.request(method, f"/?{query}", headers={"Origin": FOREIGN})
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert len(visit.home.engine.sessions) == 1


async def test_a_page_that_may_connect_may_read_and_ask_before(visit: Visit) -> None:
    asks = {"Origin": "http://page.test", "Access-Control-Request-Headers": "x-mine"}
    answer = await visit.http.options(f"/?{POLLING}", headers=asks)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-headers"] == "x-mine"
    for each in (answer, await visit.get(headers=asks), await visit.get("", headers=asks)):
        assert each.headers["access-control-allow-origin"] == "http://page.test"
        assert each.headers["vary"] == "Origin"
