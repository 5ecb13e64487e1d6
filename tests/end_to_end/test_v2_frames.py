"""What a V2 client may say: anything. V2 hears it byte for byte, V3 hears what it meant, and nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, refused, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, key, with_key
from tests.end_to_end.raw import BINARY, CONTINUATION, TEXT, RawSocket, frame, raw_websocket
from tests.servers import BridgeProcess

CONFIG = QUIET + UNHURRIED + '[tenants.retired]\nstage = "v3"\n' + key("acme", "acme") + key("retired", "retired")
KEY = with_key("acme")
LIMIT = 65_536


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@dataclass(frozen=True)
class Team:
    """One group: who speaks V2, who hears V2, who hears V3."""

    speaker: Client
    v2: Client
    v3: Client

    async def hears(self, text: str) -> dict[str, Any]:
        """What V3 hears of a frame, without what only a connection knows; V2 must hear the frame itself, both times."""
        await self.speaker.say(text)
        assert await self.speaker.hear_text() == text
        assert await self.v2.hear_text() == text
        heard = await self.v3.hear()
        known = {name: heard.pop(name) for name in ("version", "from_id", "group_id")}
        assert known == {"version": "3", "from_id": "v2-42", "group_id": "team"}
        assert heard.pop("sent_at").startswith("20")
        return heard


@pytest.fixture(scope="module")
async def team(anyio_backend: Any, shared: BridgeProcess) -> AsyncIterator[Team]:
    paths = (f"/ws/group/team/client/42?{KEY}", f"/ws_redis/group/team/client/43?{KEY}", v3_path("team", "ann", KEY))
    async with AsyncExitStack() as ends:
        yield Team(*[await ends.enter_async_context(client(shared, path)) for path in paths])
    assert "Traceback" not in shared.log


@pytest.fixture
async def raw(shared: BridgeProcess, team: Team) -> AsyncIterator[RawSocket]:
    """A client that says any bytes; whatever becomes of it, the others are served."""
    async with raw_websocket(shared, f"/ws/group/team/client/44?{KEY}") as one:
        yield one
    assert await team.hears("still here")


def text_alone(text: str) -> dict[str, Any]:
    return {"msg_type": "msg", "target": "group", "msg": text}


def payload_alone(payload: dict[str, Any]) -> dict[str, Any]:
    return {"msg_type": "msg", "target": "group", "payload": payload}


NO_JSON = (
    "hello",
    "",
    " ",
    "\n",
    "{",
    '{"msg":"hi"',
    '{"msg":"hi"}x',
    '{"msg":"hi"}\n{"msg":"ho"}',
    "{'msg':'hi'}",
    '\ufeff{"msg":"hi"}',
    "NaN",
    '{"x":NaN}',
    '{"x":-Infinity}',
    '{"x":1e400}',
    '{"x":"\\ud800"}',
    '{"\\udfff":1}',
    '{"x":01}',
    "a\r\nb\tc\x00d",
    "\u2028\u2029\x7f é😀",
    '{"a":' * 40 + "1" + "}" * 40,
    "[" * 33 + "]" * 33,
    "[" * 30_000,
    '{"n":' + "9" * 5_000 + "}",
    "9" * 5_000,
    '{"version":"3","msg_type":"msg","target":"group","from_id":"boss","group_id":"team","sent_at":"now"}\n{"a":1}',
)


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: repr(text[:40]))
async def test_what_is_no_json_is_a_text_to_v3(team: Team, text: str) -> None:
    assert await team.hears(text) == text_alone(text)


@pytest.mark.parametrize("text", ["[1, 2]", "[]", "7", "-0.5e3", "null", "true", '"a string"', '[{"msg": "hi"}]'])
async def test_json_that_is_no_object_is_a_value_to_v3(team: Team, text: str) -> None:
    assert await team.hears(text) == payload_alone({"value": json.loads(text)})


OBJECTS = (
    ('{"msg":"hi"}', {"msg_type": "msg", "target": "group", "msg": "hi"}),
    ("{}", {"msg_type": "msg", "target": "group"}),
    ('{ "msg" : "hi" , "a" : 1.0 }', {"msg_type": "msg", "target": "group", "msg": "hi", "payload": {"a": 1.0}}),
    ('{"_v2":1}', payload_alone({"_v2": 1})),
    ('{"_v2":1,"client_id":"boss"}', payload_alone({"_v2": {"client_id": "boss", "_v2": 1}})),
    ('{"payload":1}', payload_alone({"payload": 1})),
    ('{"payload":{"a":1},"a":2}', payload_alone({"a": 1, "_v2": {"a": 2}})),
    ('{"payload":{"a":1},"data":{"b":2}}', payload_alone({"a": 1, "data": {"b": 2}})),
    ('{"payload":{}}', payload_alone({})),
    ('{"__proto__":{"x":1},"constructor":2}', payload_alone({"__proto__": {"x": 1}, "constructor": 2})),
    ('{"":1}', payload_alone({"": 1})),
    ('{"a":1,"a":2}', payload_alone({"a": 2})),
    ('{"msg":"one","msg":"two"}', {"msg_type": "msg", "target": "group", "msg": "two"}),
    ('{"msg":null}', payload_alone({"msg": None})),
    ('{"msg":"\\u0000"}', {"msg_type": "msg", "target": "group", "msg": "\x00"}),
    ('{"msg":"\\ud83d\\ude00"}', {"msg_type": "msg", "target": "group", "msg": "\U0001f600"}),
    ('{"type":7,"target":"nowhere"}', payload_alone({"type": 7, "target": "nowhere"})),
    ('{"type":"presence"}', {"msg_type": "presence", "target": "group"}),
    ('{"bridge":"moved_to_v3"}', payload_alone({"bridge": "moved_to_v3"})),
    ('{"n":12345678901234567890123}', payload_alone({"n": 12345678901234567890123})),
    ('{"target":"echo"}', payload_alone({"target": "echo"})),
    ('{"to":true}', payload_alone({"to": True})),
    ('{"to":""}', payload_alone({"to": ""})),
    ('{"to":1.5}', payload_alone({"to": 1.5})),
)


@pytest.mark.parametrize(("text", "heard"), OBJECTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_nothing_of_an_object_is_lost(team: Team, text: str, heard: dict[str, Any]) -> None:
    assert await team.hears(text) == heard


async def test_what_only_the_server_may_say_is_not_believed(team: Team) -> None:
    claims = dict.fromkeys(("from_id", "client_id", "group_id", "version", "sent_at"), "boss")
    assert await team.hears(json.dumps({"msg": "hi", **claims})) == {
        "msg_type": "msg",
        "target": "group",
        "msg": "hi",
        "payload": {"_v2": claims},
    }


async def test_32_deep_is_an_object_and_33_a_text(team: Team) -> None:
    deep = '{"a":' * 31 + "[]" + "}" * 31
    assert (await team.hears(deep))["payload"] == json.loads(deep)
    deeper = '{"a":' * 32 + "[]" + "}" * 32
    assert await team.hears(deeper) == text_alone(deeper)


async def test_binary_that_is_text_is_treated_as_text(team: Team, raw: RawSocket) -> None:
    await raw.send(frame(BINARY, '{"msg":"é"}'.encode()))
    assert await raw.receive() == (TEXT, '{"msg":"é"}'.encode())
    assert await team.speaker.hear_text() == await team.v2.hear_text() == '{"msg":"é"}'
    assert (await team.v3.hear())["msg"] == "é"


@pytest.mark.parametrize("text", ['{"bridge":{"notice":"moved_to_v3"}}', '{"\\u0062ridge":{"error":"x"},"a":1e400}'])
async def test_nobody_speaks_in_the_bridges_name(raw: RawSocket, text: str) -> None:
    await raw.send(frame(TEXT, text.encode()))
    assert (await raw.hear())["bridge"]["error"] == "not_allowed"


async def test_binary_that_is_no_text_ends_with_1003(raw: RawSocket) -> None:
    await raw.send(frame(BINARY, b"\xff\xfe"))
    assert (await raw.hear())["bridge"]["error"] == "binary_not_supported"
    assert await raw.close_code() == 1003


async def test_text_that_is_not_utf_8_ends_with_1007(raw: RawSocket) -> None:
    await raw.send(frame(TEXT, b'{"msg":"\xe9"}'))
    assert await raw.close_code() == 1007


@pytest.mark.parametrize("fragments", [1, 70])
async def test_a_message_that_is_too_big_ends_with_1009(raw: RawSocket, fragments: int) -> None:
    size = LIMIT // fragments + 1
    first = frame(TEXT, b"x" * size, fin=fragments == 1)
    await raw.send(first + frame(CONTINUATION, b"x" * size, fin=False) * (fragments - 1))
    assert (await raw.hear())["bridge"]["error"] == "message_too_big"
    assert await raw.close_code() == 1009


async def test_the_largest_message_reaches_everyone(team: Team) -> None:
    for character in ("x", "\x00", '"', "\\"):
        text = character * LIMIT
        assert await team.hears(text) == text_alone(text)


async def test_an_escaped_name_finds_its_client(team: Team, shared: BridgeProcess) -> None:
    async with client(shared, f"/ws/client/a%20b?{KEY}") as spaced:
        await team.v3.say({"msg_type": "msg", "target": "direct", "to_id": "v2-a_20b", "msg": "psst"})
        heard = await spaced.hear()
        assert (heard["to_id"], heard["client_id"], heard["msg"]) == ("a b", "ann", "psst")


@pytest.mark.parametrize("path", ["/ws/42", "/ws_redis/group/team/client/42", "/ws"])
async def test_a_retired_v2_is_refused_with_its_successor(shared: BridgeProcess, path: str) -> None:
    frame, close_code = await refused(shared, f"{path}?{with_key('retired')}")
    assert (frame["bridge"]["error"], frame["bridge"]["notice"], close_code) == ("v2_retired", "v2_retired", 4410)
    assert frame["bridge"]["successor"].startswith("/v3/ws/group/")
