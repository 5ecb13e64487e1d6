"""One open connection to a bridge, by each of its doors: WebSocket, Socket.IO by WebSocket or polls, event streams.

Must never import the bridge's packages, or know what is said.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast
from urllib.parse import urlencode

from tests.end_to_end.backends import PATH, Parser
from tests.end_to_end.clients import Server
from tests.end_to_end.raw import CLOSE, HANDSHAKE, PING, PONG, TEXT, frame, request

Language = Literal["v2", "v3"]
Way = Literal["websocket", "socketio", "polling", "events"]
PATIENCE_SECONDS: Final = 30.0
POLL: Final = "EIO=4&transport=polling"
SEPARATOR: Final = "\x1e"
LOOPBACK: Final = "127.0.0.1"
HOST: Final = {"Host": LOOPBACK}
OWN_GOODBYE: Final = 1000


@dataclass(frozen=True)
class Door:
    """A language, and the way in which it is spoken."""

    language: Language
    way: Way

    @property
    def namespace(self) -> str:
        return f"/{self.language}"


class Ended(Exception):
    """The connection is over. `code`: of its close frame, 1006 where there was none."""

    def __init__(self, code: int = 1006) -> None:
        super().__init__(code)
        self.code: Final = code


class NotLetIn(Exception):
    """The handshake failed. `retry_after`: what the answer said of when to come back."""

    def __init__(self, why: object, retry_after: str | None = None) -> None:
        super().__init__(why)
        self.retry_after: Final = retry_after


class Line(Protocol):
    """An open connection. All but `cut` raise `Ended`."""

    async def say(self, number: int, message: Mapping[str, Any]) -> None:
        """Say a message; where there are acknowledgements, `number` is the one of this."""

    async def hear(self) -> dict[str, Any]:
        """The next message; an acknowledgement as `{"acknowledged": number, "answer": …}`."""

    async def say_goodbye(self) -> None:
        """Ask for its end: `hear` tells when it has come."""

    def cut(self) -> None:
        """End it at once, without a word."""


async def open_line(
    server: Server, door: Door, group: str, client: str, told: Mapping[str, str], address: str = LOOPBACK
) -> Line:
    """Connect to a bridge. `told`: credentials, and where a client that returns has been. Raises `NotLetIn`.

    `address`: from where, by WebSocket.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if door.way == "websocket":
                prefix = "/v3/ws" if door.language == "v3" else "/ws"
                return await _websocket(server, f"{prefix}/group/{group}/client/{client}?{urlencode(told)}", address)
            if door.way == "events":
                return await _events(server, f"groups={group}&clients={client}", told)
            opening = _socketio if door.way == "socketio" else _polling
            return await opening(server, door.namespace, {"group_id": group, "client_id": client, **told})
    except (OSError, EOFError, TimeoutError) as error:
        raise NotLetIn(repr(error)) from None


async def _websocket(server: Server, path: str, address: str = LOOPBACK) -> WebSocketLine:
    requests = await Requests.connected(server.port, address)
    try:
        await requests.must("GET", path, HANDSHAKE, 101)
    except BaseException:
        requests.cut()
        raise
    return WebSocketLine(requests.reader, requests.writer)


class WebSocketLine:
    """A line to the WebSocket doors. Its `hear_text` and `say_text` carry packets of Engine.IO, too."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, number: int, message: Mapping[str, Any]) -> None:
        await self.say_text(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(await self.hear_text()))

    async def say_text(self, text: str) -> None:
        self._write(TEXT, text.encode())

    async def hear_text(self) -> str:
        while True:
            opcode, payload = await self._receive()
            if opcode == TEXT:
                return payload.decode()
            if opcode == PING:
                self._write(PONG, payload)
            elif opcode == CLOSE:
                with suppress(Ended):
                    self._write(CLOSE, payload)
                raise Ended(int.from_bytes(payload[:2]))

    async def say_goodbye(self) -> None:
        self._write(CLOSE, OWN_GOODBYE.to_bytes(2))

    def cut(self) -> None:
        self._writer.transport.abort()

    async def _receive(self) -> tuple[int, bytes]:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            return first & 0x0F, await self._reader.readexactly(length)
        except (OSError, EOFError):
            raise Ended from None

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._writer.transport.is_closing():
            raise Ended
        self._writer.write(frame(opcode, payload))


async def _socketio(server: Server, namespace: str, auth: Mapping[str, str]) -> Line:
    line = SocketIoLine(await _websocket(server, "/socket.io/?EIO=4&transport=websocket"), namespace)
    await _enter(line, auth)
    return line


async def _enter(line: SocketIoLine, auth: Mapping[str, str]) -> None:
    try:
        await line.enter(auth)
    except BaseException:
        line.cut()
        raise


class Packets(Protocol):
    """What carries packets of Engine.IO. Both raise `Ended`."""

    async def say_text(self, text: str) -> None: ...

    async def hear_text(self) -> str: ...

    async def say_goodbye(self) -> None: ...

    def cut(self) -> None: ...


class SocketIoLine:
    """A line to one namespace of the Socket.IO door, over whatever carries its packets."""

    def __init__(self, packets: Packets, namespace: str) -> None:
        self._packets = packets
        self._namespace = namespace

    async def enter(self, auth: Mapping[str, str]) -> None:
        """Connect to the namespace. Raises `NotLetIn`."""
        try:
            await self._packets.say_text(f"40{self._namespace},{json.dumps(auth)}")
            answer = await self._hear_packet()
        except Ended as ended:
            raise NotLetIn(ended) from None
        if not answer.startswith("40"):
            raise NotLetIn(answer)

    async def say(self, number: int, message: Mapping[str, Any]) -> None:
        await self._packets.say_text(f"42{self._namespace},{number}{json.dumps(['message', message])}")

    async def hear(self) -> dict[str, Any]:
        packet = await self._hear_packet()
        kind, rest = packet[:2], packet.partition(",")[2]
        if kind == "42":
            return cast(dict[str, Any], json.loads(rest)[1])
        if kind == "43":
            number, _, answer = rest.partition("[")
            return {"acknowledged": int(number), "answer": json.loads("[" + answer)[0]}
        raise Ended

    async def _hear_packet(self) -> str:
        """The next packet of Socket.IO; those of Engine.IO are answered."""
        while True:
            packet = await self._packets.hear_text()
            if packet == "2":
                await self._packets.say_text("3")
            elif packet == "1":
                raise Ended
            elif packet[0] == "4":
                return packet

    async def say_goodbye(self) -> None:
        await self._packets.say_text(f"41{self._namespace},")
        await self._packets.say_goodbye()

    def cut(self) -> None:
        self._packets.cut()


async def _polling(server: Server, namespace: str, auth: Mapping[str, str]) -> Line:
    polls = Polls(await Requests.connected(server.port), await Requests.connected(server.port))
    try:
        await polls.begin()
    except BaseException:
        polls.cut()
        raise
    line = SocketIoLine(polls, namespace)
    await _enter(line, auth)
    return line


class Polls:
    """A session of Engine.IO that polls and posts, over a connection of its own for each."""

    def __init__(self, getting: Requests, posting: Requests) -> None:
        self._getting = getting
        self._posting = posting
        self._path = f"/socket.io/?{POLL}"
        self._heard: deque[str] = deque()
        self._may_post = asyncio.Lock()

    async def begin(self) -> None:
        """Shake hands. Raises `NotLetIn`."""
        body = await self._getting.must("GET", self._path, HOST, 200)
        self._path += "&sid=" + json.loads(body[1:])["sid"]

    async def say_text(self, text: str) -> None:
        async with self._may_post:
            await self._ask(self._posting, "POST", text)

    async def hear_text(self) -> str:
        while not self._heard:
            self._heard.extend((await self._ask(self._getting, "GET")).split(SEPARATOR))
        return self._heard.popleft()

    async def _ask(self, requests: Requests, method: str, body: str = "") -> str:
        try:
            status, _, answer = await requests.ask(method, self._path, HOST, body)
        except (OSError, EOFError):
            raise Ended from None
        if status != 200:
            raise Ended
        return answer

    async def say_goodbye(self) -> None:
        await self.say_text("1")

    def cut(self) -> None:
        self._getting.cut()
        self._posting.cut()


async def _events(server: Server, query: str, told: Mapping[str, str]) -> EventLine:
    requests = await Requests.connected(server.port)
    headers = {
        name: told[given] for name, given in (("Last-Event-ID", "since"), ("X-Api-Key", "api_key")) if given in told
    }
    try:
        await requests.must("GET", f"{PATH}?{query}", HOST | headers, 200)
    except BaseException:
        requests.cut()
        raise
    return EventLine(requests)


class EventLine:
    """A line to the event streams. What it hears has the position with which it can come back, as its `position`.

    Nothing can be said there.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._parser = Parser()
        self._heard: deque[dict[str, Any]] = deque()

    async def say(self, number: int, message: Mapping[str, Any]) -> None:
        raise Ended

    async def hear(self) -> dict[str, Any]:
        while not self._heard:
            events = self._parser.feed(await self._receive())
            self._heard.extend(event.data | {"position": event.id} for event in events)
            self._heard.append({"position": self._parser.last_id})
        return self._heard.popleft()

    async def _receive(self) -> bytes:
        """One chunk of the body."""
        try:
            size_bytes = int(await self._requests.reader.readline() or "0", 16)
            data = await self._requests.reader.readexactly(size_bytes + 2)
        except (OSError, EOFError):
            raise Ended from None
        if not size_bytes:
            raise Ended
        return data[:-2]

    async def say_goodbye(self) -> None:
        raise Ended

    def cut(self) -> None:
        self._requests.cut()


class Requests:
    """One connection of HTTP that is kept. `ask` raises `OSError` or `EOFError` when it ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader: Final = reader
        self.writer: Final = writer

    @classmethod
    async def connected(cls, port: int, address: str = LOOPBACK) -> Requests:
        return cls(*await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0), limit=2**24))

    async def ask(
        self, method: str, path: str, headers: dict[str, str], body: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """The status, the headers and the body of the answer."""
        content = body.encode()
        length = {"Content-Length": str(len(content))} if method == "POST" else {}
        self.writer.write(request(path, headers | length, method) + content)
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = await self.reader.readexactly(int(told.get("content-length", "0")))
        return int(status.split(" ")[1]), told, answer.decode()

    async def must(self, method: str, path: str, headers: dict[str, str], expected: int) -> str:
        """The body of an answer that has this status. Raises `NotLetIn`."""
        status, told, body = await self.ask(method, path, headers)
        if status != expected:
            raise NotLetIn(status, told.get("retry-after"))
        return body

    def cut(self) -> None:
        self.writer.transport.abort()
