"""Who attacks: one socket that pours bytes as fast as they are taken, and counts what it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.end_to_end.clients import ANSWER_SECONDS, Server
from tests.end_to_end.raw import CLOSE, CONTINUATION, HANDSHAKE, PING, PONG, TEXT, frame, request

READ_BYTES = 262_144


class TookMore(AssertionError):
    """An attacker got more than its allowance."""


@dataclass(frozen=True)
class Allowance:
    """How many frames of one attacker may be heeded: at once, and each second from then on."""

    at_once: float
    per_second: float

    def most(self, seconds: float) -> float:
        """In so many seconds."""
        return self.at_once + self.per_second * seconds


@dataclass(frozen=True)
class Flood:
    """A block that is said again and again. Each pong that answers it proves that so many `frames` were heeded."""

    block: bytes
    frames: int = 1


PINGED = frame(PING, b"?")


def followed(frames: bytes, count: int, times: int = 20) -> Flood:
    """Frames that are not answered, or each in its own way, and behind them a ping: its pong proves them heeded."""
    return Flood((frames + PINGED) * times, count)


def fragments(count: int, *, of: bytes) -> bytes:
    """One message in so many."""
    return frame(TEXT, b"{", fin=False) + frame(CONTINUATION, of, fin=False) * (count - 2) + frame(CONTINUATION, b"}")


FLOODS = {
    "pings": Flood(PINGED * 10_000),
    "long pings": Flood(frame(PING, b"x" * 125) * 2_000),
    "pongs": followed(frame(PONG, b"") * 100, 100),
    "texts": followed(frame(TEXT, b"{}") * 100, 100),
    "texts of one byte": followed(frame(TEXT, b"3") * 100, 100),  # to Engine.IO that is a sign of life
    "texts of nothing": followed(frame(TEXT, b"") * 100, 100),
    "messages in 4,000 fragments": followed(fragments(4_000, of=b" "), 4_000, 4),
    "fragments of nothing": followed(fragments(3_000, of=b""), 3_000, 4),
    "pings between fragments": followed(frame(TEXT, b"{", fin=False) + PINGED * 300 + frame(CONTINUATION, b"}"), 1),
}


class Attacker:
    """One socket, and what it was answered."""

    def __init__(self, allowance: Allowance, frames: int) -> None:
        self.heeded = 0
        self.close_codes: Counter[int] = Counter()
        self.is_over = asyncio.Event()
        """Set when the server has ended the connection."""
        self.excess: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with `TookMore` as soon as it got more than it may have."""
        self._allowance = allowance
        self._frames = frames
        self._rest = b""
        self._began_at = time.monotonic()

    async def pour(self, writer: asyncio.StreamWriter, block: bytes) -> None:
        with contextlib.suppress(OSError):
            while not self.is_over.is_set():
                writer.write(block)
                await writer.drain()
                await asyncio.sleep(0)

    async def read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                self._count(self._rest + data)
                self._judge()
        self.is_over.set()

    def _count(self, data: bytes) -> None:
        """A server's frames have no mask."""
        position = 0
        while (end := _end(data, position)) is not None:
            opcode = data[position] & 0x0F
            if opcode == CLOSE:
                self.close_codes[int.from_bytes(data[position + 2 : position + 4])] += 1
            elif opcode == PONG:
                self.heeded += self._frames
            position = end
        self._rest = data[position:]

    def _judge(self) -> None:
        seconds = time.monotonic() - self._began_at
        if self.heeded > self._allowance.most(seconds) and not self.excess.done():
            self.excess.set_exception(TookMore(f"{self.heeded} frames in {seconds:.2f} s"))


def _end(data: bytes, position: int) -> int | None:
    """Where the frame ends that begins there, if it is whole."""
    if position + 2 > len(data):
        return None
    length, head = data[position + 1] & 0x7F, 2
    if length >= 126:
        head = 4 if length == 126 else 10
        length = int.from_bytes(data[position + 2 : position + head])
    end = position + head + length
    return end if end <= len(data) and position + head <= len(data) else None


@asynccontextmanager
async def attacking(server: Server, path: str, flood: Flood, allowance: Allowance) -> AsyncIterator[Attacker]:
    """A socket that shook hands on `path`, was let in or refused, and pours from then on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=READ_BYTES)
    try:
        writer.write(request(path, HANDSHAKE))
        async with asyncio.timeout(ANSWER_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
        attacker = Attacker(allowance, flood.frames)
        tasks = [asyncio.create_task(attacker.pour(writer, flood.block)), asyncio.create_task(attacker.read(reader))]
        yield attacker
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        writer.transport.abort()
