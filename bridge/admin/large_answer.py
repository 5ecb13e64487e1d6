"""JSON answers with very long lists: encoded in the background thread, and sent in pieces.

One call of `json.dumps` for the whole answer would block the process, and the whole text would be in memory a second
time, beside its parts. It does not know what an answer means.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from starlette.types import Send

from bridge.system.background import run_in_turns

WORDS_PER_PIECE: Final = 256


async def in_words(said: object) -> list[bytes]:
    """An object or a list as parts of JSON text, to be joined. `bytes` in a list are encoded JSON already."""
    found: list[bytes] = []
    await run_in_turns(map(found.append, words(said)))
    return found


async def send_words(send: Send, headers: Sequence[tuple[bytes, bytes]], found: Sequence[bytes]) -> None:
    """Send the parts as the whole response. Of a response that the client does not read, at most one piece waits."""
    size = str(sum(map(len, found))).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [*headers, (b"content-length", size)]},
    )
    for start in range(0, len(found), WORDS_PER_PIECE):
        piece = b"".join(found[start : start + WORDS_PER_PIECE])
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def words(said: object) -> Iterator[bytes]:
    """The parts of JSON text, with each member of an object and each item of a list encoded by itself."""
    match said:
        case dict():
            yield from _between(b"{", map(_member, said.items()), b"}")
        case list():
            yield from _between(b"[", map(_item, said), b"]")
        case _:
            yield json.dumps(said).encode()


def _between(begin: bytes, parts: Iterator[Iterator[bytes]], end: bytes) -> Iterator[bytes]:
    mark = begin
    for part in parts:
        yield mark
        yield from part
        mark = b","
    yield begin + end if mark == begin else end


def _member(member: tuple[str, object]) -> Iterator[bytes]:
    name, value = member
    yield json.dumps(name).encode() + b":"
    yield from words(value) if isinstance(value, list) else (json.dumps(value).encode(),)


def _item(item: object) -> Iterator[bytes]:
    yield item if isinstance(item, bytes) else json.dumps(item).encode()
