"""What our subclasses rely on in uvicorn, websockets and redis-py, none of which promises it.

When one of these fails after an upgrade, read the module that it names before anything else.
"""

import asyncio
import inspect
from typing import Any

import pytest
from redis.asyncio.connection import Connection, ConnectionPool
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import Server
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from bridge.sockets.websocket_closing import WebSocketClosing
from bridge.sockets.websocket_outbox import WebSocketOutbox
from bridge.sockets.websocket_protocol import WebSocketProtocol

WEBSOCKET_METHODS = {
    "connection_made": ["transport"],
    "connection_lost": ["exc"],
    "data_received": ["data"],
    "eof_received": [],
    "handle_connect": ["event"],
    "handle_events": [],
    "handle_cont": ["event"],
    "handle_pong": ["event"],
    "handle_close": ["event"],
    "handle_parser_exception": [],
    "send_receive_event_to_app": [],
    "keepalive_timeout": [],
    "send_keepalive_ping": [],
    "stop_keepalive": [],
    "pause_writing": [],
    "shutdown": [],
}
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
        *((WebSocketsSansIOProtocol, name, arguments) for name, arguments in WEBSOCKET_METHODS.items()),
        *((HttpToolsProtocol, name, arguments) for name, arguments in HTTP_METHODS.items()),
        (Server, "shutdown", ["sockets"]),
        (ServerProtocol, "fail", ["code", "reason"]),
        (ServerProtocol, "send_close", ["code", "reason"]),
        (ServerProtocol, "receive_data", ["data"]),
        (ConnectionPool, "make_connection", []),
    ],
)
def test_what_we_override_or_call_takes_what_we_think(owner: type, name: str, expected: list[str]) -> None:
    """bridge/sockets/{websocket,http}_{protocol,closing}.py, bridge/runtime/server.py, bridge/broker/link.py."""
    arguments = [argument for argument in inspect.signature(getattr(owner, name)).parameters if argument != "self"]
    assert arguments == expected


@pytest.mark.parametrize(
    "attribute",
    ["conn", "queue", "frames", "curr_msg_data_type", "close_sent", "close_timer", "disconnected", "read_paused"],
)
def test_uvicorns_websocket_protocol_keeps_its_state_where_we_look(attribute: str) -> None:
    """bridge/sockets/websocket_protocol.py and websocket_closing.py."""
    assert f"self.{attribute}" in inspect.getsource(WebSocketsSansIOProtocol.__init__)


@pytest.mark.parametrize("attribute", ["request", "response"])
def test_uvicorns_websocket_protocol_keeps_the_handshake_where_we_forget_it(attribute: str) -> None:
    """bridge/sockets/websocket_protocol.py and websocket_closing.py."""
    assert f"self.{attribute} = " in inspect.getsource(WebSocketsSansIOProtocol.handle_connect)


def test_our_protocol_overrides_nothing_that_uvicorn_does_not_have() -> None:
    """A method that was renamed there would never be called here."""
    names = {*vars(WebSocketClosing), *vars(WebSocketOutbox), *vars(WebSocketProtocol)}
    ours = {name for name in names if name.startswith(("handle_", "connection_", "send_"))}
    assert ours <= set(dir(WebSocketsSansIOProtocol))


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=True)


def opened(**limits: Any) -> ServerProtocol:
    return ServerProtocol(state=State.OPEN, **limits)


def test_the_library_takes_one_whole_frame_at_a_time() -> None:
    """We hand it frames one by one, and only those that are no plain text."""
    protocol = opened()
    protocol.receive_data(masked(Opcode.PING, b"hello"))
    assert [event.opcode for event in protocol.events_received() if isinstance(event, Frame)] == [Opcode.PING]
    assert protocol.data_to_send() == [b"\x8a\x05hello"]


def test_the_library_counts_fragments_where_we_look_and_a_close_may_come_between_them() -> None:
    protocol = opened(max_size=10)
    protocol.receive_data(masked(Opcode.TEXT, b"12345678", fin=False))
    assert protocol.current_size == 8
    protocol.current_size = None
    protocol.receive_data(masked(Opcode.CLOSE, b"\x03\xe8"))
    assert protocol.parser_exc is None
    assert protocol.close_rcvd is not None
    assert protocol.close_rcvd.code == 1000


def test_the_library_says_1009_of_what_is_too_big_and_leaves_its_last_words_to_us() -> None:
    protocol = opened(max_size=10)
    protocol.receive_data(masked(Opcode.TEXT, b"12345678901"))
    assert protocol.parser_exc is not None
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == 1009
    assert b"".join(protocol.data_to_send())[:4] == b"\x88" + bytes([2 + len(protocol.close_sent.reason)]) + b"\x03\xf1"


def test_masks_come_off_as_the_protocol_says() -> None:
    assert apply_mask(b"\x00\x01\x02\x03\x04", b"\xff\x00\xff\x00") == b"\xff\x01\xfd\x03\xfb"


def test_redis_pys_connection_keeps_its_streams_where_we_take_them() -> None:
    """bridge/broker/link.py adopts the transport of `_writer`, and clears both when it ends."""
    connection = Connection()
    assert connection._reader is None
    assert connection._writer is None
    assert hasattr(asyncio.StreamWriter, "transport")
