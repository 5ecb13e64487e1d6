"""Bounds on the connections and sockets of one process: as configured, else derived from its limit of open files."""

from typing import Final

from bridge.config.settings import Settings
from bridge.sockets.strangers import Strangers
from bridge.system import open_files

FILES_BESIDE_CONNECTIONS: Final = 256
MOST_FILES: Final = 65_536
"""A file limit above this is not used for connections: a process cannot serve that many anyway."""
LEAST_CONNECTIONS: Final = 64
FILES_BESIDE_SOCKETS: Final = 64  # Redis, the log, listening sockets, the private Redis server, a key server
MOST_STRANGERS: Final = 8_192


def most_connections(settings: Settings) -> int:
    """The most connections that one process may hold."""
    soft, _ = open_files.limits()
    return settings.max_connections or max(LEAST_CONNECTIONS, min(soft, MOST_FILES) - FILES_BESIDE_CONNECTIONS)


def strangers(settings: Settings) -> Strangers:
    """The counter of accepted sockets, with its bounds."""
    return Strangers(*socket_bounds(settings))


def socket_bounds(settings: Settings) -> tuple[int, int, int]:
    """The most sockets, unauthenticated ones, and those of one address; by default, all files that are not needed."""
    soft, _ = open_files.limits()
    most = settings.max_sockets or max(1, soft - FILES_BESIDE_SOCKETS)
    return most, min(most, MOST_STRANGERS), settings.max_sockets_per_address or max(1, most // 2)
