"""V3's half of the Socket.IO door."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bridge.handshake.v3 import V3Handshake
from bridge.messaging.renderers import V3Renderer
from bridge.socketio.v3 import V3_SOCKETIO, V3SocketIoHandshake
from tests.bridge.messaging.rendering import said
from tests.bridge.socketio.parts import Home, heard
from tests.bridge.socketio.places import CLIENT, Place, request_of
from v3.ports import Guest, Refused

GUEST = Guest("acme", "g", "c", "tenant", "socketio")


def test_v3_hears_the_lines_own_bytes_as_events() -> None:
    batch = [said(msg="hi"), said('{"type":"ping"}', msg_type="heartbeat"), said("plain", msg="plain")]
    events = [b'42/v3,["message",%b]' % message.line for message in (batch[0], batch[2])]
    assert V3Renderer(V3_SOCKETIO).render(batch) == b"\x1e".join(events)


async def test_whoever_is_admitted_can_join() -> None:
    place, session = Place(), await Home().begin()
    place.guest = GUEST
    place.answers.set()
    gate = V3SocketIoHandshake(place.preflight, cast(V3Handshake, place))
    admitted = await gate.admit(request_of(session), "g", "c")
    assert (admitted.guest, admitted.client.info, place.asked) == (GUEST, CLIENT, [("g", "c", "socketio")])
    await admitted.open(cast(Any, None))
    assert (await heard(session))[0].startswith("40/v3,")
    assert isinstance(place.renderer, V3Renderer)


async def test_where_the_process_cannot_serve_now_it_is_refused_in_its_language() -> None:
    place, session = Place(), await Home().begin()
    place.is_closing = True
    admitted = await V3SocketIoHandshake(place.preflight, cast(V3Handshake, place)).admit(request_of(session), "g", "c")
    with pytest.raises(Refused) as refused:
        await admitted.open(cast(Any, None))
    assert (refused.value.code, refused.value.sentence) == (
        "going_away",
        "This process stops; connect again in a moment.",
    )
    assert 1_000 <= int(str(refused.value.told["retry_after_ms"])) <= 5_000
