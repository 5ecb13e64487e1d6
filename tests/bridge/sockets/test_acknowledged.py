"""Whether a client has taken everything is believed only where the kernel says so."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from bridge.sockets.acknowledged import came_by_proxy, is_all_acknowledged
from tests.bridge.broker.parts import until

ROOM_BYTES = 1_048_576


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.WriteTransport, socket.socket]]:
    """A transport whose kernel takes much, and a client that does not read, whose kernel takes little."""
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _reader, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, server.sockets[0].getsockname())
        writer = await accepted.get()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
        try:
            yield writer.transport, client
        finally:
            writer.transport.abort()
            server.close()
            await server.wait_closed()


async def test_what_the_other_side_has_taken_is_acknowledged() -> None:
    async with connection() as (transport, client):
        assert is_all_acknowledged(transport)
        transport.write(b"x")
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b"x"
        await until(lambda: is_all_acknowledged(transport))


async def test_what_waits_in_the_kernel_is_not_acknowledged_and_then_it_is() -> None:
    async with connection() as (transport, client):
        transport.write(b"x" * (ROOM_BYTES // 4))
        await until(lambda: transport.get_write_buffer_size() == 0)
        assert not is_all_acknowledged(transport)
        left = ROOM_BYTES // 4
        while left:
            left -= len(await asyncio.get_running_loop().sock_recv(client, left))
        await until(lambda: is_all_acknowledged(transport))


async def test_what_waits_here_is_not_acknowledged() -> None:
    async with connection() as (transport, _client):
        transport.write(b"x" * (8 * ROOM_BYTES))
        assert transport.get_write_buffer_size()
        assert not is_all_acknowledged(transport)


async def test_of_a_socket_that_is_gone_nothing_is_known() -> None:
    async with connection() as (transport, _client):
        transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not is_all_acknowledged(transport)


class Elsewhere:
    """A transport over something that is no socket of this machine."""

    def __init__(self, fileno: Any) -> None:
        self._fileno = fileno

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _name: str) -> Any:
        return self._fileno


@pytest.mark.parametrize("of_socket", [None, "no socket"])
def test_where_there_is_no_socket_nothing_is_known(of_socket: object) -> None:
    assert not is_all_acknowledged(cast(asyncio.WriteTransport, Elsewhere(of_socket)))


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"via"])
def test_a_proxy_says_that_it_is_one(name: bytes) -> None:
    assert came_by_proxy([(b"host", b"x"), (name, b"192.0.2.1")])


def test_who_comes_directly_says_no_such_thing() -> None:
    assert not came_by_proxy([(b"host", b"via"), (b"x-forwarded-proto", b"https")])
    assert not came_by_proxy([])
