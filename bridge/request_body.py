"""The body of a request in HTTP, read up to a bound. It answers nobody and knows no format."""

from starlette.requests import Request


class TooLong(Exception):
    """There is more than may be; the rest was not read."""


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body. Raises `TooLong` as soon as it is, and Starlette's `ClientDisconnect` where it never ends."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise TooLong
    return bytes(body)
