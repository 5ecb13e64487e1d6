"""The body of a request in HTTP, read up to a bound. It answers nobody and knows no format."""

from collections.abc import Callable

from starlette.requests import Request

Count = Callable[[int], None]
"""Told of the bytes of each part that came; what it raises ends the reading."""


def uncounted(_part_bytes: int) -> None:
    """For a body that needs no account."""


class TooLong(Exception):
    """There is more than may be; the rest was not read."""


async def read_body(request: Request, most_bytes: int, count: Count = uncounted) -> bytes:
    """The whole body. Raises `TooLong` as soon as it is, and Starlette's `ClientDisconnect` where it never ends."""
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most_bytes:
            raise TooLong
        count(len(part))
        body += part
    return bytes(body)
