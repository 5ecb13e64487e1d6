"""What no client of ours sends to `/socket.io/`: it is answered or closed, costs nothing, and disturbs nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bridge.socketio.pending_sessions import CONNECT_SECONDS
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, denied, eventually, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import BINARY, CLOSE, HANDSHAKE, TEXT, RawSocket, frame, raw_socket, request
from tests.end_to_end.socketio_clients import POLLING, Poller, poller, v3_ids
from tests.end_to_end.test_ends import resident_bytes
from tests.end_to_end.test_faults import metric
from tests.servers import BridgeProcess
from tests.stopwatch import within

MIB = 1024 * 1024
MOST_MESSAGE_BYTES = 65_536
MOST_BYTES = MOST_MESSAGE_BYTES + 1_024
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
CONNECT = f"40/v3,{json.dumps(v3_ids('hostile'))}"
ECHO = '42/v3,1["message",{"msg_type":"msg","target":"echo"}]'
DEEP = "[" * 30_000


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge("--socketio", config=QUIET)


@pytest.fixture(autouse=True)
async def bystanders(shared: BridgeProcess) -> AsyncIterator[None]:
    """Two who are there before, notice nothing, and are still served after; and a bridge that has nothing to show."""
    before = resident_bytes(shared)
    async with client(shared, v3_path("quiet", "new")) as new, client(shared, "/ws/group/quiet/client/1") as old:
        assert await new.is_served()
        yield
        assert await new.is_served()
        assert await old.ask({"msg": "still here"}) == {"msg": "still here"}
        assert (await new.hear())["msg"] == "still here"
    assert "Traceback" not in shared.log
    assert "failed" not in shared.log
    assert resident_bytes(shared) - before < 24 * MIB


@asynccontextmanager
async def websocket(bridge: BridgeProcess, path: str = WEBSOCKET) -> AsyncIterator[RawSocket]:
    async with raw_socket(bridge) as raw:
        await raw.upgrade(path)
        yield raw


async def say(raw: RawSocket, text: str) -> None:
    await raw.send(frame(TEXT, text.encode()))


async def until_heard(raw: RawSocket, beginning: bytes) -> bytes:
    """The next frame that begins so; what comes before is passed over."""
    while True:
        opcode, payload = await raw.receive()
        assert opcode == TEXT, (opcode, payload)
        if payload.startswith(beginning):
            return payload


async def is_served(io: Poller) -> bool:
    assert (await io.post(ECHO)).text == "ok"
    heard: list[str] = []
    while not any(packet.startswith("43/v3,1[") for packet in heard):
        heard += await io.hear()
    return True


QUERIES = {
    "no query": "",
    "no protocol": "transport=polling",
    "protocol 3": "EIO=3&transport=polling",
    "protocol 3 with a base64 flag": "EIO=3&transport=polling&b64=1",
    "two protocols": "EIO=4&EIO=3&transport=polling",
    "no transport": "EIO=4",
    "another transport": "EIO=4&transport=webtransport",
    "two transports": "EIO=4&transport=polling&transport=websocket",
    "an unknown session": "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA",
    "an empty session": "EIO=4&transport=polling&sid=",
    "jsonp": "EIO=4&transport=polling&j=0",
    "jsonp without a number": "EIO=4&transport=polling&j=alert(1)",
    "a session that is no text": "EIO=4&transport=polling&sid=%ff%00",
    "many fields": "x=1&" * 100 + POLLING,
}


@pytest.mark.parametrize("case", QUERIES)
async def test_a_handshake_of_another_kind_is_answered_with_400(shared: BridgeProcess, case: str) -> None:
    async with httpx.AsyncClient(base_url=shared.url) as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, f"/socket.io/?{QUERIES[case]}")
            assert (answer.status_code, answer.json().keys()) == (400, {"code", "message"})
    as_websocket = QUERIES[case].replace("polling", "websocket")
    assert (await denied(shared, f"/socket.io/?{as_websocket}")).status_code == 400


async def test_a_transport_is_asked_for_in_its_own_way(shared: BridgeProcess) -> None:
    assert (await denied(shared, f"/socket.io/?{POLLING}")).status_code == 400
    async with httpx.AsyncClient(base_url=shared.url) as http:
        assert (await http.get(WEBSOCKET)).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost.evil.test", "http://127.0.0.1.evil"])
async def test_a_foreign_page_is_forbidden(shared: BridgeProcess, origin: str) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        headers = {"Origin": origin}
        for method, sid in (("GET", ""), ("POST", f"&sid={io.sid}"), ("GET", f"&sid={io.sid}"), ("OPTIONS", "")):
            answer = await io.http.request(method, f"/socket.io/?{POLLING}{sid}", headers=headers)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        for sid in ("", f"&sid={io.sid}"):
            assert (await denied(shared, WEBSOCKET + sid, headers=headers)).status_code == 403
        assert await is_served(io)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
async def test_another_method_is_not_allowed(shared: BridgeProcess, method: str) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        for sid in ("", f"&sid={io.sid}"):
            assert (await io.http.request(method, f"/socket.io/?{POLLING}{sid}")).status_code == 405
        assert await is_served(io)


def post(sid: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    path = f"/socket.io/?{POLLING}&sid={sid}"
    return request(path, {"Host": "127.0.0.1", **headers}, "POST") + body


async def test_a_post_over_the_limit_is_refused_at_once_and_costs_no_memory(shared: BridgeProcess) -> None:
    for headers, body in (
        ({"Content-Length": "10000000000"}, b""),
        ({"Content-Length": str(MOST_BYTES + 1)}, b"x" * (MOST_BYTES + 1)),
        ({"Transfer-Encoding": "chunked"}, b"11000\r\n" + b"x" * 0x11000 + b"\r\n"),
        ({"Content-Length": str(5 * MIB)}, b"x" * 5 * MIB),
    ):
        async with poller(shared) as io, raw_socket(shared) as raw:
            await io.enter("/v3", v3_ids("hostile"))
            await raw.send(post(io.sid, headers, body))
            async with within(1):
                assert (await raw.answer()).status == 413
            heard = await io.hear()
            assert '"code":"message_too_big"' in heard[0]
            assert [heard[1:], await io.hear()] == [["41/v3,"], ["1"]]


async def test_a_message_of_the_largest_size_is_taken_and_a_larger_one_refused(shared: BridgeProcess) -> None:
    text = '{"msg_type":"msg","target":"echo","msg":"%s"}'
    most = MOST_MESSAGE_BYTES - len(text % "")
    async with poller(shared) as io, websocket(shared) as raw:
        await io.enter("/v3", v3_ids("hostile"))
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        largest = f'42/v3,1["message",{text % ("x" * most)}]'
        await io.post(largest)
        assert any(packet.startswith('43/v3,1[{"ok":true') for packet in await io.hear())
        await say(raw, largest)
        await until_heard(raw, b'43/v3,1[{"ok":true')
        larger = f'42/v3,1["message",{text % ("x" * (most + 1))}]'
        await io.post(larger)
        heard = await io.hear()
        assert '"message_too_big"' in heard[0]
        assert [heard[1:], await io.hear()] == [["41/v3,"], ["1"]]
        await say(raw, larger)
        assert b'"message_too_big"' in await until_heard(raw, b"42/v3,")
        assert await raw.close_code() == 1009


BODIES = {
    "nothing": b"",
    "no packet": b"hello",
    "an array": b"[]",
    "a separator": b"\x1e",
    "a packet and an empty one": b"3\x1e",
    "half a character": b'42/v3,["message","\xc3"]',
    "no UTF-8": b"\xff\xfe",
    "zeros": b"\x00" * 100,
    "a probe": b"2probe",
    "an upgrade": b"5",
    "an opening": b'0{"sid":"x"}',
    "a jsonp form": b"d=42",
    "a message of no kind": b"4",
    "a message of kind 9": b"49",
    "an event before its CONNECT": b'42/v2,["message",{}]',
    "an event of no namespace": b'42["message",{}]',
    "an event that is an empty array": b"42/v3,[]",
    "an event that is an object": b"42/v3,{}",
    "an event without a name": b"42/v3,[{}]",
    "an event that is cut off": b'42/v3,["message",{"msg"',
    "an event that goes on": b'42/v3,["message",{}]]',
    "an event of nothing but brackets": b"42/v3," + DEEP.encode(),
    "an event that is deep": b'42/v3,["message",' + DEEP.encode() + b"]" * 30_000 + b"]",
    "a message of nothing but brackets": b"4" + DEEP.encode(),
    "an answer's number that is long": b'42/v3,12345678901["message",{}]',
    "an attachment count of 11 digits": b'4599999999999-/v3,["message",{"_placeholder":true,"num":0}]',
    "an attachment count of 10,000 digits": b"45" + b"9" * 10_000 + b"-/v3,[]",
    "a refusal": b'44/v3,{"message":"no"}',
    "a second CONNECT": CONNECT.encode(),
    "a goodbye of who is not there": b"41/v2,",
    "an event after its goodbye": b'41/v3,\x1e42/v3,["message",{}]',
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_post_of_what_no_client_sends_closes_the_session(shared: BridgeProcess, case: str) -> None:
    async with poller(shared) as io:
        assert (await io.enter("/v3", v3_ids("hostile"))).startswith("40/v3,")
        answer = await io.post(BODIES[case])
        assert answer.status_code in (200, 400)
        assert await io.ended() < 1
        assert (await io.post("3")).status_code == 400


BINARIES = {
    "data": b"bAAAA",
    "an event with an attachment": b'451-/v3,["message",{"_placeholder":true,"num":0}]',
    "an event with many, and an acknowledgement": b'459999-/v3,7["message",{"_placeholder":true,"num":0}]',
    "an event and its attachment": b'451-/v3,["message",{"_placeholder":true,"num":0}]\x1ebAP8=',
    "an event without attachments": b'450-/v3,["message",{}]',
    "an answer with an attachment": b"461-/v3,1[]",
}


@pytest.mark.parametrize("case", BINARIES)
async def test_what_is_binary_is_refused_in_words_and_closes_with_1003(shared: BridgeProcess, case: str) -> None:
    async with poller(shared) as io, websocket(shared) as raw:
        await io.enter("/v3", v3_ids("hostile"))
        assert (await io.post(BINARIES[case])).text == "ok"
        heard = await io.hear()
        assert '"code":"binary_not_supported"' in heard[0]
        assert [heard[1:], await io.hear()] == [["41/v3,"], ["1"]]
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        for packet in BINARIES[case].split(b"\x1e"):
            await raw.send(frame(TEXT, packet))
        assert b'"code":"binary_not_supported"' in await until_heard(raw, b"42/v3,")
        assert await raw.close_code() == 1003


@pytest.mark.parametrize("data", [b"\xff", b"\x00", b"", b"42", b'42/v3,["message",{}]'])
async def test_a_binary_frame_is_refused_in_words_also_where_it_is_text(shared: BridgeProcess, data: bytes) -> None:
    async with websocket(shared) as raw:
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        await raw.send(frame(BINARY, data))
        assert b'"code":"binary_not_supported"' in await until_heard(raw, b"42/v3,")
        assert await raw.close_code() == 1003


async def test_what_belongs_to_a_binary_event_of_one_namespace_disturbs_no_other(shared: BridgeProcess) -> None:
    async with websocket(shared) as raw:
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        await say(raw, f"40/v2,{json.dumps(v3_ids('9'))}")
        await until_heard(raw, b"40/v2,")
        await say(raw, '452-/v2,["message",{"_placeholder":true,"num":0}]')
        await raw.send(frame(BINARY, b"\xff") + frame(BINARY, b"hello"))
        assert b"binary_not_supported" in await until_heard(raw, b"42/v2,")
        await until_heard(raw, b"41/v2,")
        await say(raw, ECHO)
        assert b'{"ok":true' in await until_heard(raw, b"43/v3,1")


CONNECTS = ["[]", '"x"', "5", "-1", "true", "1e3", "{", '{"a":' + DEEP, '{"a":' + "1" * 5_000 + "}", '"\\ud800"']


@pytest.mark.parametrize("auth", CONNECTS, ids=lambda auth: f"{auth[:20]}, {len(auth)}")
@pytest.mark.parametrize("namespace", ["/v3", "/v2"])
async def test_whoever_connects_with_no_object_is_told_what_to_do(
    shared: BridgeProcess, namespace: str, auth: str
) -> None:
    async with poller(shared) as io, websocket(shared) as raw:
        await io.begin("group_id=g&client_id=io")
        assert (await io.post(f"40{namespace},{auth}")).text == "ok"
        (heard,) = await io.hear()
        await say(raw, f"40{namespace},{auth}")
        for said in (heard, (await until_heard(raw, b"44")).decode()):
            refusal = json.loads(said.removeprefix(f"44{namespace},"))
            assert refusal["message"].startswith("Send `auth` as one small object")
            assert refusal["data"]["code"] == "unauthenticated"


async def test_a_null_is_no_credential(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.begin("group_id=g&client_id=io")
        await io.post("40/v3,null")
        assert (await io.hear())[0].startswith('40/v3,{"sid":')


async def test_as_many_packets_as_fit_are_taken_in_one_post_and_each_is_answered(bridge: StartBridge) -> None:
    """Twenty within the burst, the rest refused one by one: the rate decides."""
    limited = bridge("--socketio", config=QUIET + "burst = 20\nmessages_per_second = 1\n")
    async with poller(limited) as io:
        await io.enter("/v3", v3_ids("busy"))
        said = json.dumps({"msg_type": "msg", "target": "echo"})
        events = [f'42/v3,{number}["message",{said}]' for number in range(300)]
        assert (await io.post("\x1e".join(events))).text == "ok"
        answers: dict[int, bool] = {}
        while len(answers) < 300:
            for packet in await io.hear():
                if packet.startswith("43/v3,"):
                    number, _, answer = packet.removeprefix("43/v3,").partition("[")
                    answers[int(number)] = '"ok":true' in answer
        assert [number for number, is_taken in sorted(answers.items()) if is_taken] == list(range(20))


def is_utf8(body: bytes) -> bool:
    return body.decode(errors="ignore").encode() == body


FRAMES = {case: body for case, body in BODIES.items() if b"\x1e" not in body and is_utf8(body)}


@pytest.mark.parametrize("case", FRAMES)
async def test_a_frame_of_what_no_client_sends_closes_with_1002(shared: BridgeProcess, case: str) -> None:
    async with websocket(shared) as raw:
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        await raw.send(frame(TEXT, FRAMES[case]))
        assert await raw.close_code() == 1002


@pytest.mark.parametrize(
    "text",
    [
        *('["message",NaN]', '["message",{"msg_type":"msg","target":"echo","payload":{"x":1e400}}]'),
        *('["message",{"half":"\\ud800"}]', '["message"]', '["message",1,2]', '["chat",{}]', '["__proto__",{}]'),
        *('["message",null]', '["message",' + "[" * 200 + "]" * 200 + "]", '["message",' + "9" * 5_000 + "]"),
    ],
    ids=lambda text: f"{text[:30]}, {len(text)}",
)
@pytest.mark.parametrize("is_asking", [True, False])
async def test_a_message_that_v3_refuses_is_refused_and_the_session_lives(
    shared: BridgeProcess,
    text: str,
    is_asking: bool,  # noqa: FBT001
) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        assert (await io.post(f"42/v3,{'7' if is_asking else ''}{text}")).text == "ok"
        (heard,) = await io.hear()
        assert heard.startswith("43/v3,7[" if is_asking else '42/v3,["message",')
        assert '"code":"invalid_' in heard
        assert await is_served(io)


async def test_attachments_that_never_come_are_not_waited_for(shared: BridgeProcess) -> None:
    for _ in range(20):
        async with websocket(shared) as raw:
            await say(raw, CONNECT)
            await until_heard(raw, b"40/v3,")
            await say(raw, '451-/v3,["message",{"_placeholder":true,"num":0}]')
            await raw.send(frame(BINARY, b"x" * 60_000))
            assert await raw.close_code() == 1003


async def test_a_frame_over_the_limit_ends_with_1009(shared: BridgeProcess) -> None:
    for is_upgraded in (True, False):
        async with poller(shared) as io:
            await io.enter("/v3", v3_ids("hostile"))
            path = f"{WEBSOCKET}&sid={io.sid}" if is_upgraded else WEBSOCKET
            async with websocket(shared, path) as raw:
                await say(raw, "4" * (MOST_BYTES + 1))
                assert await raw.close_code() == 1009


@pytest.mark.parametrize("data", [b"\xff", b"\x00", b"4\xff", b"", b"42"])
async def test_bytes_that_are_no_packet_end_the_websocket(shared: BridgeProcess, data: bytes) -> None:
    async with websocket(shared) as raw:
        await raw.send(frame(BINARY, data))
        assert await raw.close_code() in (1002, 1003)


async def test_who_speaks_before_the_handshake_is_over_is_served_or_closed(shared: BridgeProcess) -> None:
    async with raw_socket(shared) as raw:
        await raw.send(request(WEBSOCKET, HANDSHAKE) + frame(BINARY, b"\xff") * 100)
        assert (await raw.answer()).status == 101
        await say(raw, CONNECT)
        assert (await raw.receive())[0] in (TEXT, CLOSE)


async def test_two_polls_at_once_close_the_session(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        answers = await asyncio.gather(*(io.poll() for _ in range(5)))
        assert sorted(answer.status_code for answer in answers)[1:] == [400] * 4
        assert [answer.text for answer in answers if answer.status_code == 200] == ["1"]


async def test_posts_at_once_close_the_session_or_follow_each_other(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.begin()
        connect = f"40/v3,{json.dumps(v3_ids('hostile', 'crowd'))}"
        answers = await asyncio.gather(*(io.post(connect) for _ in range(5)))
        assert {answer.status_code for answer in answers} <= {200, 400}
        assert await io.ended() < 1

    async def is_gone() -> bool:
        async with httpx.AsyncClient(base_url=shared.url) as http:
            members: list[Any] = (await http.get("/v3/presence/group/crowd")).json()["members"]
            return not members

    await eventually(is_gone)


@pytest.mark.parametrize("said", ["", "2", "probe", "2PROBE", "5", "42[]", "2probe" * 1_000, "2" + DEEP, "3"])
async def test_a_probe_that_is_none_ends_the_upgrade(shared: BridgeProcess, said: str) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        async with websocket(shared, f"{WEBSOCKET}&sid={io.sid}") as raw:
            await say(raw, said)
            assert await raw.close_code() in (1000, 1002)


@pytest.mark.parametrize("said", ["2probe", "3", CONNECT, ECHO, "5x", "1"])
async def test_an_upgrade_that_goes_another_way_ends(shared: BridgeProcess, said: str) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        async with websocket(shared, f"{WEBSOCKET}&sid={io.sid}") as raw:
            await say(raw, "2probe")
            await until_heard(raw, b"3probe")
            await say(raw, said)
            assert await raw.close_code() in (1000, 1002)


async def test_an_upgrade_that_is_broken_off_leaves_the_session_polling(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        for said in ((), ("2probe",)):
            async with websocket(shared, f"{WEBSOCKET}&sid={io.sid}") as raw:
                for text in said:
                    await say(raw, text)
                    await until_heard(raw, b"3probe")
            assert await is_served(io)


async def test_a_session_has_one_websocket(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        path = f"{WEBSOCKET}&sid={io.sid}"
        async with websocket(shared, path) as first:
            assert (await denied(shared, path)).status_code in (400, 403)
            await say(first, "2probe")
            await until_heard(first, b"3probe")
            await say(first, "5")
            await say(first, ECHO)
            await until_heard(first, b"43/v3,1[")
            assert (await denied(shared, path)).status_code in (400, 403)
            assert (await io.poll()).status_code == (await io.post("3")).status_code == 400
            await say(first, ECHO)
            await until_heard(first, b"43/v3,1[")


async def test_a_websocket_that_only_answers_and_upgrades_is_closed(shared: BridgeProcess) -> None:
    """Each upgrade would be answered, and the answers would wait for who never reads."""
    async with websocket(shared) as raw:
        await say(raw, CONNECT)
        await until_heard(raw, b"40/v3,")
        await raw.send(frame(TEXT, b"5") * 10_000)
        assert await raw.close_code() == 1002


@pytest.mark.parametrize("first", ["upgrade", "keep-alive, Upgrade"])
async def test_a_poll_that_half_asks_for_an_upgrade_is_a_poll(shared: BridgeProcess, first: str) -> None:
    async with poller(shared) as io, raw_socket(shared) as raw:
        await io.enter("/v3", v3_ids("hostile"))
        await io.post(ECHO)
        lines = f"Host: localhost\r\nConnection: {first}\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\r\n"
        await raw.send(f"GET /socket.io/?{POLLING}&sid={io.sid} HTTP/1.1\r\n{lines}".encode())
        assert (await raw.answer()).status in (200, 400)


async def test_a_post_that_is_broken_off_does_no_harm(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.enter("/v3", v3_ids("hostile"))
        async with raw_socket(shared) as raw:
            await raw.send(post(io.sid, {"Content-Length": "1000"}, b"3"))
        assert await io.ended() < 2


@pytest.mark.parametrize(
    ("headers", "body", "statuses"),
    [
        ({}, b"", {400}),
        ({"Content-Length": "-1"}, b"3", {400}),
        ({"Content-Length": "x"}, b"3", {400}),
        ({"Content-Length": "1" * 400}, b"3", {400, 413}),
        ({"Transfer-Encoding": "chunked"}, b"1\r\n3\r\n0\r\n\r\n", {200}),
        ({"Transfer-Encoding": "chunked"}, b"zz\r\n3\r\n0\r\n\r\n", {400}),
        ({"Transfer-Encoding": "chunked", "Content-Length": "1"}, b"1\r\n3\r\n0\r\n\r\n", {200, 400}),
        ({"Content-Length": "1", "Expect": "100-continue"}, b"3", {100, 200}),
        ({"Content-Length": "1", "Content-Encoding": "gzip"}, b"3", {200}),
    ],
)
async def test_a_body_of_any_length_is_answered(
    shared: BridgeProcess, headers: dict[str, str], body: bytes, statuses: set[int]
) -> None:
    async with poller(shared) as io, raw_socket(shared) as raw:
        await io.enter("/v3", v3_ids("hostile"))
        await raw.send(post(io.sid, headers, body))
        assert (await raw.answer()).status in statuses


async def test_a_poll_whose_client_goes_away_takes_its_client_out_of_the_group(shared: BridgeProcess) -> None:
    async with poller(shared) as io, client(shared, v3_path("watched", "watcher")) as watcher:
        await io.enter("/v3", v3_ids("hostile", "watched"))
        async with raw_socket(shared) as raw:
            await raw.send(request(f"/socket.io/?{POLLING}&sid={io.sid}", {"Host": "127.0.0.1"}))
            assert await watcher.is_served()

        async def is_alone() -> bool:
            answer = await watcher.ask({"msg_type": "presence", "target": "echo"})
            return [member["client_id"] for member in answer["payload"]["members"]] == ["watcher"]

        await eventually(is_alone)


async def test_knocking_without_end_is_ended(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.begin()
        answers = [await io.post("\x1e".join([CONNECT, "41/v3,"] * 8)) for _ in range(6)]
        assert {answer.status_code for answer in answers} == {200, 400}
        assert await io.ended() < 1


def handshakes(count: int) -> bytes:
    return request(f"/socket.io/?{POLLING}", {"Host": "127.0.0.1"}) * count


async def test_sessions_that_never_connect_are_bounded_and_end(bridge: StartBridge) -> None:
    """Also a post that never ends, and a websocket; meanwhile there is room for whoever comes another way.

    On a machine so busy that the first have ended before the last come, there are never too many, and nobody gives way.
    """
    running = bridge("--socketio", config=QUIET)
    async with (
        poller(running) as io,
        raw_socket(running) as many,
        raw_socket(running) as endless,
        websocket(running) as mute,
    ):
        await io.enter("/v3", v3_ids("before"))
        before = resident_bytes(running)
        await endless.send(post(io.sid, {"Content-Length": "1000"}, b"3"))
        statuses, began = set(), time.monotonic()
        for _ in range(25):
            await many.send(handshakes(100))
            statuses |= {(await many.answer()).status for _ in range(100)}
        assert statuses == {200}  # whoever comes is let in, and the longest waiting gives way
        were_all_there = time.monotonic() - began < CONNECT_SECONDS
        await mute.rest(5)
        assert await metric(running, "bridge_socketio_displaced_total") > 0 or not were_all_there
        assert resident_bytes(running) - before < 40 * MIB
        async with client(running, v3_path("talk", "raw")) as raw:
            assert await raw.is_served()
        async with asyncio.timeout(10):
            assert await endless.rest(10) == b""
