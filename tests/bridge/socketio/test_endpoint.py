"""`/socket.io/` as HTTP: what is asked in the wrong way is answered before any session hears of it."""

from __future__ import annotations

import pytest

from bridge.socketio import sessions as sessions_module
from tests.bridge.socketio.parts import POLLING
from tests.bridge.socketio.visits import FOREIGN, Visit


async def test_a_client_polls_and_posts(visit: Visit) -> None:
    opening = await visit.get()
    (sid,) = visit.home.sids
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
    assert not visit.home.sids


async def test_a_session_that_is_named_twice_is_none(visit: Visit) -> None:
    """The library reads the first, and others the last."""
    sid = (await visit.home.joined("/v3")).sid
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


async def test_who_is_new_is_turned_away_where_there_is_no_room_and_a_session_goes_on(visit: Visit) -> None:
    sid = (await visit.home.joined("/v3")).sid
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
    sid = (await visit.home.joined("/v3")).sid
    monkeypatch.setattr(sessions_module, "MOST_PENDING", 3)
    assert [(await visit.get()).status_code for _ in range(5)] == [200] * 5
    assert len(visit.home.sids) == 4
    assert (await visit.post(sid, "3")).status_code == 200


async def test_a_foreign_page_is_told_nothing_and_may_read_nothing(visit: Visit) -> None:
    sid = (await visit.home.joined("/v3")).sid
    for method, query in (("GET", POLLING), ("POST", f"{POLLING}&sid={sid}"), ("OPTIONS", POLLING), ("PUT", "")):
        answer = await visit.http.request(method, f"/?{query}", headers={"Origin": FOREIGN})
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert len(visit.home.sids) == 1


async def test_a_page_that_may_connect_may_read_and_ask_before(visit: Visit) -> None:
    asks = {"Origin": "http://page.test", "Access-Control-Request-Headers": "x-mine"}
    answer = await visit.http.options(f"/?{POLLING}", headers=asks)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-headers"] == "x-mine"
    for each in (answer, await visit.get(headers=asks), await visit.get("", headers=asks)):
        assert each.headers["access-control-allow-origin"] == "http://page.test"
        assert each.headers["vary"] == "Origin"
