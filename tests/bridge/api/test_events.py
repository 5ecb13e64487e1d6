"""What a backend may ask to hear. That it hears it is in `tests/end_to_end/test_events.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httpx
import pytest

from bridge.api.events import MOST_NAMES, router
from bridge.continuity.positions import UNKNOWN
from bridge.handshake.authentication import Identity
from bridge.handshake.event_stream import EventStream
from bridge.handshake.event_streams import Backend, EventStreams
from bridge.handshake.subscriptions import Unavailable
from bridge.sockets.server_sent_events import HEADERS
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.api.serving import Known, asking
from tests.bridge.population import ADDRESSES

MAPPED = Tenant("acme", names=Names({"7": "team", "42": "ann"}))
BOUND = Identity("acme", subject="ann", must_be_subject=True)


class Streams:
    """Notes who asks for a stream, and gives everyone one that says a word and ends."""

    def __init__(self) -> None:
        self.asked: list[Backend] = []
        self.closed = 0
        self.refuses_with: Unavailable | None = None
        self.fails = False
        self.outbox = self

    async def open(self, backend: Backend, _abort: Callable[[], None]) -> EventStream:
        self.asked.append(backend)
        if self.refuses_with is not None:
            raise self.refuses_with
        return cast(EventStream, self)

    def close(self, _stream: object) -> None:
        self.closed += 1

    def begin(self) -> None: ...

    def lost(self) -> None: ...

    async def run(self, send: Any) -> None:
        if self.fails:
            raise ZeroDivisionError
        await send({"type": "http.response.body", "body": b"data: hello\n\n", "more_body": False})


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def authority() -> Known:
    return Known(MAPPED)


@pytest.fixture
async def http(streams: Streams, authority: Known) -> AsyncIterator[httpx.AsyncClient]:
    routes = router(authority, cast(EventStreams, streams), ADDRESSES, lambda _scope: "192.0.2.1")
    async with asking(routes) as client:
        yield client


def group(name: str) -> bytes:
    return ADDRESSES.group("acme", name)


def client(name: str) -> bytes:
    return ADDRESSES.client("acme", name)


BROADCASTS = [ADDRESSES.broadcast("acme"), ADDRESSES.platform_for("acme")]


@pytest.mark.parametrize(
    ("query", "channels"),
    [
        ("", BROADCASTS),
        ("groups=a,b", [group("a"), group("b")]),
        ("groups=a&groups=b,a", [group("a"), group("b")]),
        ("clients=x,y", [client("x"), client("y")]),
        ("groups=a&clients=a", [group("a"), client("a")]),
        ("groups=v2-7,v2-8&clients=v2-42", [group("team"), group("v2-8"), client("ann")]),
        ("groups=team,v2-7", [group("team")]),
    ],
)
async def test_what_is_named_is_heard_by_the_names_of_v3(
    http: httpx.AsyncClient, streams: Streams, query: str, channels: list[bytes]
) -> None:
    answer = await http.get(f"/v3/events?{query}", headers={"Last-Event-ID": "@5"})
    assert (answer.status_code, answer.text) == (200, "data: hello\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers.items() >= {(name.lower(), value) for name, value in HEADERS.items()}
    (backend,) = streams.asked
    assert (backend.channels, backend.since, backend.address) == (channels, "@5", "192.0.2.1")
    assert backend.channels_in(MAPPED) == channels
    assert streams.closed == 1


@pytest.mark.parametrize(
    ("given", "since"), [([], ""), ([""], ""), (["", "@5"], "@5"), (["@5", "@5"], "@5"), (["@5", "@6"], UNKNOWN)]
)
async def test_it_goes_on_after_one_event_or_it_is_not_known_after_which(
    http: httpx.AsyncClient, streams: Streams, given: list[str], since: str
) -> None:
    await http.get("/v3/events", headers=[("Last-Event-ID", one) for one in given])
    assert [backend.since for backend in streams.asked] == [since]


async def test_a_name_may_mean_somebody_else_later_or_nobody(http: httpx.AsyncClient, streams: Streams) -> None:
    await http.get("/v3/events?groups=v2-7")
    (backend,) = streams.asked
    assert backend.channels_in(Tenant("acme", names=Names({"7": "crew"}))) == [group("crew")]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("groups=", ["groups"]),
        ("groups=a,,b", ["groups"]),
        ("groups=7", ["groups"]),
        ("clients=server", ["clients"]),
        ("groups=*&clients=a%20b", ["groups", "clients"]),
        ("groups=a&clients=", ["clients"]),
    ],
)
async def test_what_is_no_name_is_refused(
    http: httpx.AsyncClient, streams: Streams, query: str, fields: list[str]
) -> None:
    answer = await http.get(f"/v3/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_id")
    assert [problem["field"] for problem in answer.json()["detail"]] == fields
    assert streams.asked == []


async def test_one_stream_has_a_bound_on_names(http: httpx.AsyncClient, streams: Streams) -> None:
    names = [f"n{number}" for number in range(MOST_NAMES)]
    assert (await http.get(f"/v3/events?groups={','.join(names[1:])}&clients=ann")).status_code == 200
    answer = await http.get(f"/v3/events?groups={','.join(names)}&clients=ann")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_id")
    assert f"{MOST_NAMES}" in answer.json()["msg"]
    assert len(streams.asked) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("clients=ann", 200),
        ("clients=v2-42", 200),
        ("clients=ann,bob", 403),
        ("groups=team", 403),
        ("groups=team&clients=ann", 403),
        ("", 403),
    ],
)
async def test_who_must_be_one_client_hears_that_client_alone(
    http: httpx.AsyncClient, authority: Known, query: str, status: int
) -> None:
    authority.identity = BOUND
    answer = await http.get(f"/v3/events?{query}")
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "forbidden"


async def test_an_administrator_hears_whom_it_likes(http: httpx.AsyncClient, authority: Known) -> None:
    authority.identity = Identity("acme", admin=True, must_be_subject=True)
    assert (await http.get("/v3/events?clients=bob")).status_code == 200


@pytest.mark.parametrize("code", ["overloaded", "bus_down", "going_away"])
async def test_who_cannot_be_served_now_is_told_why(http: httpx.AsyncClient, streams: Streams, code: str) -> None:
    streams.refuses_with = Unavailable(code, "Come back.")
    answer = await http.get("/v3/events")
    assert (answer.status_code, answer.json()["code"], answer.json()["msg"]) == (503, code, "Come back.")
    assert answer.headers["Retry-After"]
    assert streams.closed == 0


async def test_a_stream_that_fails_is_given_back(http: httpx.AsyncClient, streams: Streams) -> None:
    streams.fails = True
    with pytest.raises(ZeroDivisionError):
        await http.get("/v3/events")
    assert streams.closed == 1


async def test_the_document_says_what_may_come(http: httpx.AsyncClient) -> None:
    operation = (await http.get("/openapi.json")).json()["paths"]["/v3/events"]["get"]
    named = {parameter["name"]: parameter["in"] for parameter in operation["parameters"]}
    assert named.items() >= {("groups", "query"), ("clients", "query"), ("last-event-id", "header")}
    assert list(operation["responses"]["200"]["content"]) == ["text/event-stream"]
    assert set(operation["responses"]) >= {"400", "401", "403", "429", "503"}
