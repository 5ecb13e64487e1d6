from __future__ import annotations

import asyncio

from tests.end_to_end.socketio_clients import library_client


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    await reader.read()
    writer.close()


async def test_an_answer_that_the_library_did_not_read_leaves_no_connection_open() -> None:
    """Its garbage would fail another test, much later."""
    async with await asyncio.start_server(half_an_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with library_client() as client:
            answer = await client.eio.http.get(f"http://127.0.0.1:{port}/")
            assert answer.connection.protocol is not None
        assert answer.connection.protocol is None
