"""V2's half of the Socket.IO door."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from bridge.handshake.v2 import V2Handshake
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.socketio.v2 import V2_SOCKETIO, V2SocketIoHandshake, v2_event
from legacy_v2.ports import Guest, Refused
from tests.bridge.messaging.rendering import said
from tests.bridge.population import table_of
from tests.bridge.socketio.parts import Home, heard
from tests.bridge.socketio.places import CLIENT, Place, request_of

GUEST = Guest("acme", "g", "c", "g", "c", "tenant", protocol="socketio")


def gate(place: Place) -> V2SocketIoHandshake:
    return V2SocketIoHandshake(place.preflight, cast(V2Handshake, place), table_of(), Counts())


@pytest.mark.parametrize("text", ['{ "a" : [ 1.0 ] }', "[1,2]", "7", "-0", "null"])
def test_json_is_an_event_byte_for_byte(text: str) -> None:
    assert v2_event(text.encode()) == f'42/v2,["message",{text}]'.encode()


@pytest.mark.parametrize("text", ["", "plain", "NaN", "é\n", '{"half":"\\ud83d"}', "[" * 5_000])
def test_any_other_text_is_an_event_with_a_string(text: str) -> None:
    event = v2_event(text.encode())
    assert event.startswith(b'42/v2,["message","')
    assert json.loads(event[6:]) == ["message", text]


def test_v2_hears_v2_verbatim_and_v3_in_its_own_words() -> None:
    voice = V2Renderer("acme", table_of(), Counts(), V2_SOCKETIO)
    old, new = voice.render([said("plain", msg="plain"), said(msg="hi")]).split(b"\x1e")
    assert old == b'42/v2,["message","plain"]'
    assert json.loads(new[6:])[1]["msg"] == "hi"


async def test_whoever_is_admitted_can_join() -> None:
    place, session = Place(), await Home().begin()
    place.guest = GUEST
    place.answers.set()
    admitted = await gate(place).admit(request_of(session, "/v2"), "g", None)
    assert (admitted.guest, admitted.client.info, place.asked) == (GUEST, CLIENT, [("g", None, "socketio")])
    await admitted.open(cast(Any, None))
    assert (await heard(session))[0].startswith("40/v2,")
    assert isinstance(place.renderer, V2Renderer)


async def test_where_the_process_cannot_serve_now_it_is_refused_in_its_language() -> None:
    place, session = Place(), await Home().begin()
    place.guest, place.is_full = GUEST, True
    admitted = await gate(place).admit(request_of(session, "/v2"), "g", "c")
    with pytest.raises(Refused) as refused:
        await admitted.open(cast(Any, None))
    assert (refused.value.code, refused.value.told["msg"]) == ("overloaded", "Full.")
    assert 1_000 <= int(str(refused.value.told["retry_after_ms"])) <= 5_000
