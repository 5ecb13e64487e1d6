"""What our subclasses rely on in uvicorn, websockets and redis-py, none of which promises it.

When one of these fails after an upgrade, read the module that it names before anything else.
"""

import asyncio
import inspect
from typing import Any

import pytest
from redis.asyncio.connection import Connection, ConnectionPool
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server, ServerState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

HTTP_METHODS = {
    "connection_made": ["transport"],
    "connection_lost": ["exc"],
    "data_received": ["data"],
    "on_message_begin": [],
    "on_url": ["url"],
    "on_header": ["name", "value"],
    "on_headers_complete": [],
    "on_message_complete": [],
    "handle_websocket_upgrade": [],
    "on_response_complete": [],
    "pause_writing": [],
    "resume_writing": [],
}


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        *((HttpToolsProtocol, name, arguments) for name, arguments in HTTP_METHODS.items()),
        (Server, "shutdown", ["sockets"]),
        (ServerProtocol, "accept", ["request"]),
        (ServerProtocol, "receive_data", ["data"]),
        (ConnectionPool, "make_connection", []),
    ],
)
def test_what_we_override_or_call_takes_what_we_think(owner: type, name: str, expected: list[str]) -> None:
    """bridge/sockets/http_{protocol,closing}.py, frame_checker.py, bridge/runtime/server.py, bridge/broker/link.py."""
    arguments = [argument for argument in inspect.signature(getattr(owner, name)).parameters if argument != "self"]
    assert arguments == expected


@pytest.mark.parametrize("attribute", ["connections", "tasks", "default_headers"])
def test_uvicorns_server_keeps_what_is_open_where_we_add_to_it(attribute: str) -> None:
    """bridge/sockets/websocket_opening.py and websocket_closing.py."""
    assert hasattr(ServerState(), attribute)


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=True)


def opened(**limits: Any) -> ServerProtocol:
    return ServerProtocol(state=State.OPEN, **limits)


def test_the_library_takes_one_whole_frame_at_a_time() -> None:
    """We hand it frames one by one, and only those that are no plain text."""
    protocol = opened()
    protocol.receive_data(masked(Opcode.PING, b"hello"))
    assert [event.opcode for event in protocol.events_received() if isinstance(event, Frame)] == [Opcode.PING]


def test_the_library_counts_fragments_where_we_look_and_a_close_may_come_between_them() -> None:
    protocol = opened(max_size=10)
    protocol.receive_data(masked(Opcode.TEXT, b"12345678", fin=False))
    assert protocol.current_size == 8
    protocol.current_size = None
    protocol.receive_data(masked(Opcode.CLOSE, b"\x03\xe8"))
    assert protocol.parser_exc is None
    assert protocol.close_rcvd is not None
    assert protocol.close_rcvd.code == 1000


def test_the_library_says_1009_of_what_is_too_big() -> None:
    protocol = opened(max_size=10)
    protocol.receive_data(masked(Opcode.TEXT, b"12345678901"))
    assert protocol.parser_exc is not None
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == 1009


def test_masks_come_off_as_the_protocol_says() -> None:
    assert apply_mask(b"\x00\x01\x02\x03\x04", b"\xff\x00\xff\x00") == b"\xff\x01\xfd\x03\xfb"


def test_redis_pys_connection_keeps_its_streams_where_we_take_them() -> None:
    """bridge/broker/link.py adopts the transport of `_writer`, and clears both when it ends."""
    connection = Connection()
    assert connection._reader is None
    assert connection._writer is None
    assert hasattr(asyncio.StreamWriter, "transport")
