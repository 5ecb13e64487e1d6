"""Reads the body of an HTTP request up to a bound. It sends no response and knows no format."""

from collections.abc import Callable

from starlette.requests import Request

Count = Callable[[int], None]
"""Called with the size of each part of a body, in bytes. An exception that it raises ends the reading."""


def uncounted(_part_bytes: int) -> None:
    """The `Count` that does nothing."""


class TooLong(Exception):
    """The body is longer than allowed. The rest of it was not read."""


async def read_body(request: Request, most_bytes: int, count: Count = uncounted) -> bytes:
    """The whole body.

    Raises `TooLong` as soon as more than `most_bytes` have come, Starlette's `ClientDisconnect` if the client is gone.
    """
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most_bytes:
            raise TooLong
        count(len(part))
        body += part
    return bytes(body)
