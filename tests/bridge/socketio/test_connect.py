"""How a client that asks to join a namespace becomes a connection, and what is given back where it does not."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.handshake.subscriptions import Unavailable
from bridge.socketio.connect import handshake_request, open_connection
from bridge.socketio.session import Session
from bridge.socketio.v3 import v3_event
from tests.bridge.socketio.parts import Home, heard
from tests.bridge.socketio.places import CLIENT, Place, request_of


async def opening_of(place: Place, session: Session) -> asyncio.Task[None]:
    """A client that has been admitted, about to be let in."""
    unused = cast(Any, None)
    opening = asyncio.create_task(
        open_connection(place.preflight, place.client, request_of(session), unused, unused, v3_event)
    )
    await asyncio.sleep(0)
    return opening


async def test_admission_looks_at_what_the_client_brought() -> None:
    session = await Home().begin(address="198.51.100.9")
    seen = handshake_request(request_of(session))
    assert (seen.query, seen.headers, seen.address) == ([("group_id", "g")], session.headers, "198.51.100.9")


async def test_whoever_is_let_in_is_a_connection_that_gives_back_what_it_held() -> None:
    place, session = Place(), await Home().begin()
    opening = await opening_of(place, session)
    assert place.opened == []
    place.answers.set()
    await opening
    (connection,) = place.opened
    assert (connection.has_begun, place.held) == (True, [CLIENT])
    assert (await heard(session))[0].startswith("40/v3,")
    session.abort()
    await asyncio.sleep(0)
    assert (connection.over.done(), place.held) == (True, [])


async def test_who_goes_away_before_it_is_let_in_leaves_nothing() -> None:
    place, session = Place(), await Home().begin()
    opening = await opening_of(place, session)
    session.end(1000, "closed by the client")
    place.answers.set()
    await opening
    await asyncio.sleep(0)
    (connection,) = place.opened
    assert (connection.has_begun, connection.over.done(), place.held) == (False, True, [])


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"is_closing": True}, "going_away"),
        ({"serves_now": False}, "bus_down"),
        ({"is_full": True}, "overloaded"),
        ({"is_silent": True}, "bus_down"),
    ],
)
async def test_a_process_that_cannot_serve_now_says_so(state: dict[str, bool], code: str) -> None:
    place = Place()
    vars(place).update(state)
    opening = await opening_of(place, await Home().begin())
    with pytest.raises(Unavailable) as unavailable:
        await opening
    assert (unavailable.value.code, place.held) == (code, [])
