"""How a knock at a namespace becomes a connection, and what is given back where it does not."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.config.settings import Settings
from bridge.handshake.connect import AdmittedClient
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Unavailable
from bridge.handshake.v2 import V2Handshake
from bridge.handshake.v3 import V3Handshake
from bridge.records.counters import Counts
from bridge.socketio.connect import V2SocketIoGate, V3SocketIoGate
from bridge.socketio.session import Knock
from legacy_v2 import ports as v2
from tests.bridge.population import table_of
from tests.bridge.socketio.engine_parts import Home
from v3 import ports as v3

ARRIVAL = object()
NEW = v3.Guest("acme", "g", "c", "tenant", "socketio")
OLD = v2.Guest("acme", "g", "c", "g", "c", "tenant", protocol="socketio")


class Connection:
    """A connection that notes whether it began."""

    def __init__(self, place: Place) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_begun = False
        self._place = place

    def begin(self) -> None:
        self.has_begun = True
        self._place.opened.append(self)

    def lost(self) -> None:
        self.over.set_result(None)
        self._place.held.remove(ARRIVAL)


class Place:
    """As much of a preflight, a handshake and a connector as is needed; `held` is what was not given back."""

    def __init__(self) -> None:
        self.serves_now, self.is_closing, self.is_full = True, False, False
        self.answers: asyncio.Event | None = None
        self.held: list[object] = []
        self.opened: list[Connection] = []
        nothing: Any = None
        self.preflight = Preflight(Settings(), nothing, nothing, nothing, nothing)
        vars(self.preflight).update(_bus=self, _subscriber=self, _connections=self)

    @property
    def is_up(self) -> bool:
        return self.serves_now

    async def identify(self, *knock: Any) -> AdmittedClient[Any]:
        self.knock = knock
        return AdmittedClient("the guest", cast(Any, ARRIVAL), cast(Any, self))

    async def connect(self, client: object, *_: Any) -> Connection:
        if self.is_full:
            raise Unavailable("overloaded", "Full.")
        if self.answers is None:
            raise Unavailable("bus_down", "No answer.")
        self.held.append(client)
        await self.answers.wait()
        return Connection(self)


async def knock_at(place: Place, home: Home, language: str) -> tuple[Knock, asyncio.Task[None]]:
    """A client that has been admitted, at an open door."""
    _, session = await home.begin()
    knock = Knock(session, f"/{language}", {"group_id": "g", "client_id": "c"})
    session_of = cast(Any, None)
    if language == "v3":
        new = V3SocketIoGate(place.preflight, cast(V3Handshake, place))
        assert cast(Any, await new.admit(knock, "g", "c")) == "the guest"
        opening = asyncio.create_task(new.open(knock, NEW, session_of))
    else:
        old = V2SocketIoGate(place.preflight, cast(V2Handshake, place), table_of(), Counts())
        assert cast(Any, await old.admit(knock, "g", "c")) == "the guest"
        opening = asyncio.create_task(old.open(knock, OLD, session_of))
    assert place.knock[1:] == ("g", "c", "socketio")
    await asyncio.sleep(0)
    return knock, opening


by_language = pytest.mark.parametrize("language", ["v3", "v2"])


@by_language
async def test_whoever_is_let_in_is_a_connection_that_gives_back_what_it_held(language: str) -> None:
    place, home = Place(), Home()
    place.answers = asyncio.Event()
    knock, opening = await knock_at(place, home, language)
    assert place.opened == []
    place.answers.set()
    await opening
    (connection,) = place.opened
    assert (connection.has_begun, place.held) == (True, [ARRIVAL])
    (sid,) = home.engine.sessions
    assert (await home.heard(sid))[0].startswith(f"40/{language},")
    knock.session.abort()
    await asyncio.sleep(0)
    assert (connection.over.done(), place.held) == (True, [])


@by_language
async def test_who_goes_away_before_it_is_let_in_leaves_nothing(language: str) -> None:
    place, home = Place(), Home()
    place.answers = asyncio.Event()
    knock, opening = await knock_at(place, home, language)
    knock.session.end(1000, "closed by the client")
    place.answers.set()
    await opening
    assert (place.opened, place.held) == ([], [])


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"is_closing": True}, "going_away"),
        ({"serves_now": False}, "bus_down"),
        ({"is_full": True}, "overloaded"),
        ({}, "bus_down"),
    ],
)
@by_language
async def test_a_process_that_cannot_serve_now_says_so(language: str, state: dict[str, bool], code: str) -> None:
    """Where nothing else is the matter, Redis does not confirm in time."""
    place = Place()
    vars(place).update(state)
    _, opening = await knock_at(place, Home(), language)
    with pytest.raises((v3.Refused, v2.Refused)) as refused:
        await opening
    assert (cast(Any, refused.value).code, place.held) == (code, [])
