"""Server-sent events, as the HTML standard has them: how they are written, and the headers of their response. Pure.

A line of data must not be broken: a message is one line of JSON already, but for carriage returns between its tokens.
"""

from collections.abc import Mapping
from typing import Final

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No proxy shall keep an event back."""
DOCUMENTED: Final[dict[str, object]] = {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
"""The response 200 in FastAPI's `responses`."""
KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, which clients pass over. It shows them, and the proxies on the way, that the stream goes on."""


def event(data: bytes, name: str = "", position: str = "", retry_ms: int | None = None) -> bytes:
    """An event with this JSON. `position` is sent back as Last-Event-ID by who returns, after `retry_ms`."""
    if b"\r" in data:
        data = data.replace(b"\r", b" ")
    return b"%b%bdata: %b\n\n" % (advice(position, retry_ms), b"event: %b\n" % name.encode() if name else b"", data)


def advice(position: str = "", retry_ms: int | None = None) -> bytes:
    """The lines on how to return. With an empty line after them they are heeded and no event."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return retry + b"id: %b\n" % position.encode() if position else retry
