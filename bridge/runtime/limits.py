"""How many connections and sockets one process may hold: as configured, else as many as its open files allow."""

from typing import Final

from bridge.config.settings import Settings
from bridge.sockets.strangers import Strangers
from bridge.system import open_files

FILES_BESIDE_CONNECTIONS: Final = 256
MOST_FILES: Final = 65_536
"""A limit beyond this says nothing of how many connections a process can bear."""
LEAST_CONNECTIONS: Final = 64
FILES_BESIDE_SOCKETS: Final = 64  # Redis, the log, what listens, the private server, a key server
MOST_STRANGERS: Final = 8_192


def most_connections(settings: Settings) -> int:
    """Of one process."""
    soft, _ = open_files.limits()
    return settings.max_connections or max(LEAST_CONNECTIONS, min(soft, MOST_FILES) - FILES_BESIDE_CONNECTIONS)


def strangers(settings: Settings) -> Strangers:
    """The sockets of one process: all files but what the bridge itself needs."""
    soft, _ = open_files.limits()
    most = settings.max_sockets or max(1, soft - FILES_BESIDE_SOCKETS)
    return Strangers(most, min(most, MOST_STRANGERS), settings.max_sockets_per_address or max(1, most // 2))
