"""What a run says of the machine and of the versions that it was measured with."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.bench import peers
from tests.bench.peers import Peers

WAIT_SECONDS: Final = 10


def described(installed: Peers, rounds: int, seconds: float) -> dict[str, str]:
    """Name and words, in the order in which they are to be read."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "how": f"{rounds} rounds in turns, {seconds:g} seconds each; server on one core, load and Redis on the other",
        "versions": ", ".join(_versions(installed)),
    }


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def _versions(installed: Peers) -> list[str]:
    asked: dict[str, Sequence[str]] = {
        "Bun": [str(installed.bun), "--version"],
        "Node": ["node", "--version"],
        "NATS": ["nats-server", "--version"],
        "nginx": [str(peers.nginx()), "-v"],
        "Redis": ["redis-server", "--version"],
    }
    told = {name: _asked(command) for name, command in asked.items()}
    python = [f"Python {platform.python_version()}", f"python-socketio {version('python-socketio')}"]
    return python + [f"{name} {words}" for name, words in told.items() if words]


def _asked(command: Sequence[str]) -> str:
    """The first word that has a digit and a dot in what the program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = (done.stdout + done.stderr).replace("=", " ").replace("/", " ").split()
    return next((word.lstrip("v") for word in words if "." in word and any(map(str.isdigit, word))), "")
