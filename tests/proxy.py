"""A TCP proxy on loopback that maltreats what passes, as bad networks do. It never reads what it carries.

It lives on the test's own loop, between a client and the server at `target_port`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

LARGEST_SLICE_BYTES = 7
READ_BYTES = 65_536


class Direction:
    """What happens to bytes on their way: `up` to the server, `down` to the client. They never overtake each other."""

    def __init__(self) -> None:
        self.delay_seconds = 0.0
        self.in_slices = False
        self.swallows = False
        self._is_open = asyncio.Event()
        self._is_open.set()

    def hold(self) -> None:
        """Keep everything back until `let_go`."""
        self._is_open.clear()

    def let_go(self) -> None:
        self._is_open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the reader's side ends."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write(waiting, writer))
            while data := await reader.read(READ_BYTES):
                waiting.put_nowait((asyncio.get_running_loop().time() + self.delay_seconds, data))
            await waiting.join()
            writing.cancel()

    async def _write(self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._is_open.wait()
            for piece in self._pieces(data):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            waiting.task_done()

    def _pieces(self, data: bytes) -> list[bytes]:
        if self.swallows:
            return []
        if not self.in_slices:
            return [data]
        pieces, start = [], 0
        while start < len(data):
            end = start + random.randint(1, LARGEST_SLICE_BYTES)
            pieces.append(data[start:end])
            start = end
        return pieces


class Proxy:
    """A running proxy."""

    def __init__(self, target_port: int) -> None:
        self.up = Direction()
        self.down = Direction()
        self.port = 0
        self.accepted = 0
        self._target_port = target_port
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The proxy as the address of a Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    def lead_to(self, port: int) -> None:
        """From now on new connections lead there, as after a change of DNS; those that are open stay where they are."""
        self._target_port = port

    def swallow(self) -> None:
        """From now on a black hole: connections stay open, and nothing comes through."""
        self.up.swallows = self.down.swallows = True

    def reset(self) -> None:
        """End every connection with a TCP reset."""
        for client in self._clients:
            handle = client.get_extra_info("socket")
            if handle is not None and handle.fileno() >= 0:  # the client has not reset it itself
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.transport.abort()

    def inject(self, data: bytes) -> None:
        """Say this to every client, as if the server had."""
        for client in self._clients:
            client.write(data)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self.accepted += 1
        carrying = asyncio.create_task(self._carry_both(reader, writer))
        self._tasks.add(carrying)
        self._clients.add(writer)
        await asyncio.wait([carrying])
        self._tasks.discard(carrying)
        self._clients.discard(writer)
        writer.close()

    async def _carry_both(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        ways = [
            asyncio.create_task(self.up.carry(reader, target_writer)),
            asyncio.create_task(self.down.carry(target_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            target_writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def end(self) -> None:
        """End every connection, and wait for that."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await asyncio.sleep(0)


@asynccontextmanager
async def proxy_to(target_port: int) -> AsyncIterator[Proxy]:
    """A proxy on a free port, for as long as the context lasts."""
    proxy = Proxy(target_port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()


class StoppingProxy:
    """A proxy of threads and plain sockets that can stand still: what its kernel has taken it delivers when it goes on.

    Even if the client has reset meanwhile: so does every program that reads what has arrived before it sees the reset.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.swallows = False
        """Whether what comes from the server is lost."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._may_go_on: list[threading.Event] = []
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Read nothing more from the clients that are connected now. Others are served."""
        for one in self._may_go_on:
            one.clear()

    def go_on(self) -> None:
        for one in self._may_go_on:
            one.set()

    def lead_to(self, port: int) -> None:
        """From now on new connections lead there; those that are open stay where they are."""
        self._target_port = port

    def cut(self) -> None:
        """End every connection, on both sides."""
        for one in self._sockets[1:]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.go_on()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    target = socket.create_connection(("127.0.0.1", self._target_port))
                except OSError:
                    client.close()
                    continue
                may_go_on = threading.Event()
                may_go_on.set()
                self._may_go_on.append(may_go_on)
                self._sockets += [client, target]
                threading.Thread(target=self._carry, args=(client, target, may_go_on), daemon=True).start()
                threading.Thread(target=self._carry, args=(target, client, None), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, may_go_on: threading.Event | None) -> None:
        with contextlib.suppress(OSError):
            while select.select([source], [], []):
                if may_go_on is not None:
                    may_go_on.wait()
                data = source.recv(READ_BYTES)
                if not data:
                    break
                if may_go_on is not None or not self.swallows:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def stopping_proxy(target_port: int) -> Iterator[StoppingProxy]:
    """Such a proxy on a free port."""
    proxy = StoppingProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
