"""What frames hold that our server wrote."""

from collections.abc import Iterable


def payloads(blob: bytes) -> Iterable[bytes]:
    """The payloads of frames that `text_frame` made."""
    position = 0
    while position < len(blob):
        length, start = blob[position + 1], position + 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length, start = int.from_bytes(blob[start : start + wide], "big"), start + wide
        yield blob[start : start + length]
        position = start + length
