"""A socket on which a test says any bytes it likes, and reads what comes back. It keeps no rule of any protocol."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.end_to_end.clients import ANSWER_SECONDS, Server
from tests.stopwatch import within

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
HANDSHAKE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Answer:
    """What an HTTP server said, up to the end of its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One RFC 6455 frame, allowed or not; `reserved` is the three reserved bits."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    length, mark = len(payload), masked << 7
    if length < 126:
        head += bytes([mark | length])
    elif length < 65_536:
        head += bytes([mark | 126]) + struct.pack("!H", length)
    else:
        head += bytes([mark | 127]) + struct.pack("!Q", length)
    return head + (masking(payload) if masked else payload)


def masking(payload: bytes) -> bytes:
    """A mask and the masked payload."""
    mask = os.urandom(4)
    stretched = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)])
    return mask + (int.from_bytes(payload) ^ stretched).to_bytes(len(payload))


def request(target: str, headers: dict[str, str], method: str = "GET") -> bytes:
    """A request's head."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class RawSocket:
    """One TCP connection to a bridge."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """These bytes; a server that has stopped listening is for `read` to find."""
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def answer(self) -> Answer:
        """The next HTTP response."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def upgrade(self, path: str) -> None:
        """Become a WebSocket."""
        await self.send(request(path, HANDSHAKE))
        assert (await self.answer()).status == 101

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        async with asyncio.timeout(ANSWER_SECONDS):
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            return first & 0x0F, await self._reader.readexactly(length)

    async def hear(self) -> dict[str, Any]:
        """The next frame, which must be a JSON object in text."""
        opcode, payload = await self.receive()
        assert opcode == TEXT, (opcode, payload)
        heard = json.loads(payload)
        assert isinstance(heard, dict)
        return heard

    async def close_code(self) -> int:
        """The code of the close frame; what comes before it is passed over."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2])

    async def some(self) -> bytes:
        """Whatever comes next."""
        return await self._reader.read(65_536)

    async def rest(self, seconds: float) -> bytes:
        """All that comes until the server ends the connection; `TimeoutError` if it does not."""
        async with within(seconds):
            try:
                return await self._reader.read(-1)
            except ConnectionResetError:
                return b""

    def shut_down_writing(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        """End it at once, without a word."""
        self._writer.transport.abort()


@asynccontextmanager
async def raw_socket(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawSocket]:
    """A connection that has said nothing yet."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname=name, limit=2**24)
    opened = RawSocket(reader, writer)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def raw_websocket(server: Server, path: str) -> AsyncIterator[RawSocket]:
    """A connection that has shaken hands on `path`."""
    async with raw_socket(server) as opened:
        await opened.upgrade(path)
        yield opened
