"""Commands as bytes in the Redis protocol (RESP2): an array of texts, each with its length. Pure: it sends nothing."""

from typing import Any, cast

import hiredis


def pack(*parts: bytes | str | float) -> bytes:
    """One command as bytes in the Redis protocol."""
    return cast(bytes, hiredis.pack_command(cast(Any, parts)))


def pack_parts(*parts: bytes | int) -> bytes:
    """Some arguments of a command, as `pack` writes them."""
    texts = [part if isinstance(part, bytes) else b"%d" % part for part in parts]
    return b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts])


def pack_publish(channel: bytes, data: bytes) -> bytes:
    """The command that publishes `data`, as bytes. `pack` takes three times as long, and there are many of them."""
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(data), data)
