"""Ports of loopback for servers. Must never give two servers of any two test processes the same one.

They lie below those that Linux lends to outgoing connections (32768 and up): a server that is restarted finds its port
still free. Between a look at a port and the start of a server on it another process might take it, so each has a block
of ports of its own: that whose first port it holds bound as long as it lives.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Final

FIRST, LAST = 20_000, 32_000
BLOCK: Final = 400


def free_port() -> int:
    """One that nothing uses, and that this process is not given again before all others of its block."""
    return next(port for port in own_ports() if is_free(port))


@cache
def own_ports() -> Iterator[int]:
    """The ports of the first block that no other process has, round and round."""
    blocks = range(FIRST, LAST, BLOCK)
    for first in random.sample(blocks, len(blocks)):
        guard = socket.socket()
        if is_bound(guard, first):
            guard.detach()  # open until the process ends
            return cycle(range(first + 1, first + BLOCK))
        guard.close()
    raise RuntimeError("every block of ports is in use")


def is_free(port: int) -> bool:
    """Whether a server could listen on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return is_bound(probe, port)


def is_bound(own: socket.socket, port: int) -> bool:
    """Bind it, if it may be."""
    try:
        own.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
