"""Every route, asked in words that nobody should use: there is an answer, no error of ours, and no line in the log."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.configuration import api_key, key
from tests.end_to_end.raw import HANDSHAKE, raw_socket
from tests.servers import BridgeProcess

NUMBER = 600
AT_ONCE = 16
CONFIG = key("clerk", "acme") + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
TENANT = "/admin/api/tenants/acme"
PATHS = [
    *("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v3/messages", "/v3/presence/group/lobby"),
    *("/v3/events", "/v3/events?groups=a,b"),
    *("/v3/schema", "/client/aether.js", "/client/x", "/admin", "/admin/api/tenants", "/admin/api/events", TENANT),
    *(
        f"{TENANT}/{what}"
        for what in ("census", "changes", "ids", "stage", "ledger", "guards", "history", "prediction")
    ),
    *("/socket.io/", "/ws", "/ws/client/ann", "/ws/group/g", "/v3/ws/group/g/client/c", "/nowhere"),
]
ODD = [
    *("٣".encode(), b"\xff\xfe", b"%00", b"%ED%A0%80", b"%ff", b"%", b"%zz", b"..%2f..%2f", b"'", b'"', b"{}", b"["),
    *(b"%0a", b"9" * 300, b"9" * 5_000, b"1e999", b"-1", "é".encode("latin-1"), b"%C3%28", b"NaN", b"..", b"//", b"\\"),
    *(b"%09", b"*", b"%7f", b"0x1", b"+", b"%D9%A3", b"\xb2"),
]
HOSTS = [
    *(b"x:99999", b"x:" + b"9" * 400, b"[::1", b"[::1]", b"[zz]:1", b"]", b"[", b"x:", b":80", b"", b"a b", b"x:-1"),
    *("x:٣".encode(), b"\xff", b"x:\xb2", b"[v1.a]", b"a" * 1_000, b"x/y", b"x?y", b"x#y", b"u:p@x", b"x:1:2"),
    *(b"\xc3\xa9.com", b"xn--a", b"[1]:1]", b"//x", b"localhost:99999", b"127.0.0.1"),
]
HEADERS = [
    *(b"Origin", b"X-Api-Key", b"Authorization", b"Cookie", b"Content-Type", b"If-None-Match", b"If-Modified-Since"),
    *(b"Range", b"X-Forwarded-For", b"User-Agent", b"Accept-Encoding", b"Last-Event-ID", b"Expect", b"Upgrade"),
    *(b"Access-Control-Request-Headers", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions"),
]
VALUES = [
    *(b"\xff\xfe", b"\xe9", b"http://x:99999", b"http://[", b"http://\xff", b"null", b"Bearer \xff", b"bytes=9-1"),
    *(b"Bearer " + b"9" * 4_400, b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", b"application/json; charset=\xff", b"*", b'W/"'),
    *("٣".encode(), b"100-continue", b"Thu, 99 Foo 9999", b"gzip;q=" + b"9" * 400, b"https://\xc3\xa9", b"h2c"),
]
QUERY = [
    *(
        b"sid",
        b"transport",
        b"EIO",
        b"api_key",
        b"jwt",
        b"protocol",
        b"limit",
        b"days",
        b"share",
        b"x_account_id",
        b"j",
    ),
    *(b"since", b"stage", b"format"),
]
SIDS = [b"0.a", b"1.a", b"9" * 300 + b".a", b"9" * 5_000, b"%D9%A3.a", b"../0.a", b"%00.a", b"00001.a", b"-1.a"]
BODIES = [
    *(
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"a":' + b"9" * 5_000 + b"}",
        b"[" * 5_000,
        b"NaN",
        b"1e400",
        b"42[",
    ),
    *(b'{"group_id":"\\ud800","type":"x"}', b"a,b\n\xff,\x00\n", b"\x1e" * 20, b'{"stage":"drain","share":1e400}'),
]
METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE"]


class Stranger:
    """Whoever asks so; the same at each run."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def request(self) -> bytes:
        chance = self._chance
        is_handshake = chance.random() < 0.25
        method = b"GET" if is_handshake else chance.choice(METHODS)
        headers = [(b"Host", chance.choice(HOSTS)), *((self._header()) for _ in range(chance.randrange(4)))]
        if is_handshake:
            headers += [(name.encode(), value.encode()) for name, value in HANDSHAKE.items() if name != "Host"]
        if chance.random() < 0.4:
            headers.append((b"Authorization", b"Bearer " + api_key("boss").encode()))
        body = b"" if method == b"GET" else chance.choice(BODIES)
        headers.append((b"Content-Length", b"%d" % len(body)))
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return method + b" " + self._target() + b" HTTP/1.1\r\n" + lines + b"\r\n" + body

    def _header(self) -> tuple[bytes, bytes]:
        return self._chance.choice(HEADERS), self._chance.choice(VALUES)

    def _target(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.2:
            transport = chance.choice([b"polling", b"websocket"])
            return b"/socket.io/?EIO=4&transport=" + transport + b"&sid=" + chance.choice(SIDS)
        target = chance.choice(PATHS).encode()
        if chance.random() < 0.3:
            target = (
                target.replace(b"acme", chance.choice(ODD)) if b"acme" in target else target + b"/" + chance.choice(ODD)
            )
        if chance.random() < 0.5:
            target += b"?" + chance.choice(QUERY) + b"=" + chance.choice(ODD)
        return target


SAMPLED = {"client_refused", "operator_refused", "operator_signed_in", "token_refused"}
"""What the log says of those who are turned away, a line a minute of each kind."""
MOST_LINES = 100


@pytest.fixture(scope="module", params=[("--socketio",), ("--workers", "2")], ids=" ".join)
def served(module_bridge: StartBridge, request: pytest.FixtureRequest) -> BridgeProcess:
    return module_bridge(*request.param, config=CONFIG)


async def test_no_request_is_an_error_of_ours(served: BridgeProcess) -> None:
    stranger, room, failed = Stranger(8), asyncio.Semaphore(AT_ONCE), []

    async def ask(request: bytes) -> None:
        async with room, raw_socket(served) as client:
            await client.send(request)
            said = await asyncio.wait_for(client.some(), 10)
            if said.startswith(b"HTTP/1.1 5") and not said.startswith(b"HTTP/1.1 503"):
                failed.append((request, said))

    before = served.log
    await asyncio.gather(*(ask(stranger.request()) for _ in range(NUMBER)))
    assert failed == []
    said = [json.loads(line)["event"] for line in served.log.removeprefix(before).splitlines()]
    assert set(said) <= SAMPLED
    assert len(said) < MOST_LINES


@pytest.mark.parametrize(
    "garbage",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        b"\x00" * 100_000,
    ],
    ids=["http2", "tls", "chunk", "bytes"],
)
async def test_what_is_no_request_is_not_logged(served: BridgeProcess, garbage: bytes) -> None:
    before = served.log
    for _ in range(5):
        async with raw_socket(served) as client:
            await client.send(garbage)
            await client.rest(5)
    said = [json.loads(line)["event"] for line in served.log.removeprefix(before).splitlines()]
    assert set(said) <= SAMPLED
    assert len(said) < MOST_LINES


async def test_a_client_that_would_rather_speak_http_2_is_heard(served: BridgeProcess) -> None:
    """As Java's own client begins, and `curl --http2`."""
    body = b'{"msg_type":"msg","target":"group","group_id":"g","msg":"hello"}'
    head = (
        b"POST /v3/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nContent-Type: application/json\r\n"
        b"X-Api-Key: %s\r\nContent-Length: %d\r\n\r\n" % (api_key("clerk").encode(), len(body))
    )
    async with raw_socket(served) as client:
        for pieces in ([head + body], [head, body]):
            for piece in pieces:
                await client.send(piece)
                await asyncio.sleep(0.01)
            assert (await client.answer()).status == 202
