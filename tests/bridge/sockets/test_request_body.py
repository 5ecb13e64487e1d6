"""A body is read whole, or not beyond its bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from bridge.sockets.request_body import TooLong, read_body


def request(*parts: bytes, is_whole: bool = True) -> Request:
    """A request whose body comes in these parts, and then ends or is cut off."""
    messages: Iterable[dict[str, Any]] = [
        *({"type": "http.request", "body": part, "more_body": True} for part in parts),
        {"type": "http.request", "body": b""} if is_whole else {"type": "http.disconnect"},
    ]
    coming = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(coming)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_the_parts_of_a_body_are_put_together_up_to_the_bound() -> None:
    assert await read_body(request(b"ab", b"cd"), 4) == b"abcd"
    assert await read_body(request(), 0) == b""


async def test_what_is_longer_is_not_read_to_its_end() -> None:
    with pytest.raises(TooLong):
        await read_body(request(b"abcde", is_whole=False), 4)


async def test_each_part_is_counted_before_it_is_kept_and_whoever_counts_may_end_the_reading() -> None:
    counted: list[int] = []
    assert await read_body(request(b"ab", b"c"), 3, counted.append) == b"abc"
    assert counted == [2, 1, 0]

    def refuse(_bytes: int) -> None:
        raise OverflowError

    with pytest.raises(OverflowError):
        await read_body(request(b"ab"), 3, refuse)


async def test_a_body_that_is_cut_off_is_none() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(request(b"ab", is_whole=False), 4)
