"""Whether the other side of a connection has taken all that it was sent, as far as the kernel knows. No rules."""

import fcntl
import struct
import termios
from asyncio.transports import WriteTransport
from collections.abc import Iterable
from typing import Final

_OUTPUT_QUEUE: Final = termios.TIOCOUTQ
_PROXIES_SAY: Final = frozenset({b"x-forwarded-for", b"forwarded", b"via"})


def is_all_acknowledged(transport: WriteTransport) -> bool:
    """Whether nothing waits to be sent, or to be acknowledged by the other side's kernel. False where none can tell."""
    if transport.get_write_buffer_size():
        return False
    try:
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), _OUTPUT_QUEUE, bytes(4))
    except (AttributeError, OSError, ValueError):
        return False
    return struct.unpack("i", waiting) == (0,)


def came_by_proxy(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a proxy has forwarded this request: then the other side is the proxy, and not the client."""
    return any(name in _PROXIES_SAY for name, _ in headers)
