"""One server, one scenario: everything is started afresh, measured once, and ended."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests.bench.peers import Peers
from tests.bench.processes import (
    CLIENT_CORE,
    SERVER_CORE,
    StartFailedError,
    Usage,
    free_port,
    pinned,
    running,
    running_redis,
    usage,
)
from tests.bench.scenarios import STORM_SETTLES_SECONDS, Scenario
from tests.bench.servers import Launch, Place, Server

OPENING_SECONDS: Final = 60.0
WARMUP_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 0.3
AFTERWARDS_SECONDS: Final = 60.0
SETTLED, MEASURED = "settled", "measured"


@dataclass(frozen=True)
class Conditions:
    """What is the same for every trial of a run; `seconds` is the time measured, after a warm-up."""

    peers: Peers
    seconds: float
    redis_core: int
    work: Path
    bridge_command: str


@dataclass(frozen=True)
class Watched:
    """One look at the server and its Redis, `at` on the monotonic clock."""

    at: float
    server: Usage
    redis: Usage


def run_trial(name: str, server: Server, scenario: Scenario, conditions: Conditions) -> dict[str, Any]:
    """What the load client printed, and what the server used. A trial that failed has `failed` and no numbers."""
    about = {"server": name, "scenario": scenario.name}
    try:
        return about | _measure(name, server, scenario, conditions)
    except (StartFailedError, FileNotFoundError) as failure:
        return about | {"failed": f"did not start: {failure}"}


def _measure(name: str, server: Server, scenario: Scenario, conditions: Conditions) -> dict[str, Any]:
    with ExitStack() as stack:
        directory = conditions.work / name
        directory.mkdir(exist_ok=True)
        redis_pid, redis_url = stack.enter_context(running_redis(conditions.redis_core, directory / "redis.log"))
        place = Place(free_port(), free_port(), redis_url, directory, conditions.peers, conditions.bridge_command)
        launch = server.launch(place)
        log = directory / "server.log"
        pid = stack.enter_context(running(launch.command, place.port, SERVER_CORE, log, launch.environment))
        looks = Looks(pid, redis_pid)
        said = _watch_client(client_command(conditions, scenario, launch, place.port), looks, conditions.seconds)
        return said if "failed" in said else said | _used(looks.seen, said, scenario)


def client_command(conditions: Conditions, scenario: Scenario, launch: Launch, port: int) -> list[str]:
    """The command line of the load client."""
    is_storm = scenario.kind == "storm"
    values = {
        "dialect": launch.dialect,
        "port": port,
        "path": launch.path,
        "other": launch.other,
        "groups": scenario.groups,
        "per-group": scenario.per_group,
        "window": scenario.window,
        "senders": scenario.senders,
        "opening": scenario.opening,
        "settle": STORM_SETTLES_SECONDS if is_storm else SETTLE_SECONDS,
        "warmup": WARMUP_SECONDS,
        "seconds": 0 if is_storm else conditions.seconds,
        "patience": OPENING_SECONDS,
    }
    command = [str(conditions.peers.load_client)]
    command += [f"--{key}={value}" for key, value in values.items() if value is not None]
    return [*command, "--until-all"] if scenario.kind == "one" else command


class Looks:
    """Looks at server and Redis, each at the moment at which the load client begins a phase."""

    def __init__(self, server_pid: int, redis_pid: int) -> None:
        self._pids = server_pid, redis_pid
        self.seen: dict[str, Watched] = {}

    def look(self, phase: str) -> None:
        server, redis = map(usage, self._pids)
        self.seen[phase] = Watched(time.monotonic(), server, redis)


def _watch_client(command: list[str], looks: Looks, seconds: float) -> dict[str, Any]:
    """The numbers that the client prints last. Each of its lines before is a phase that begins."""
    deadline = time.monotonic() + OPENING_SECONDS + WARMUP_SECONDS + seconds + AFTERWARDS_SECONDS
    said: dict[str, Any] = {"failed": ""}
    looks.look("before")
    with _client(command) as (process, lines):
        while (line := _line(lines, deadline)) is not None:
            if line.startswith("{"):
                said = json.loads(line)
            else:
                looks.look(line)
        process.kill()  # nothing to do where it has ended
        complaint = process.stderr.read().strip() if process.stderr else ""
    if "failed" in said:
        return {"failed": complaint or "the load client did not end in time"}
    return said | ({"complaint": complaint} if complaint else {})


@contextmanager
def _client(command: list[str]) -> Iterator[tuple["subprocess.Popen[str]", "queue.SimpleQueue[str | None]"]]:
    with subprocess.Popen(
        pinned(command, CLIENT_CORE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        assert process.stdout is not None
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        yield process, lines


def _read(pipe: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in pipe:
        lines.put(line.strip())
    lines.put(None)


def _line(lines: "queue.SimpleQueue[str | None]", deadline: float) -> str | None:
    """The next line; `None` after the last one, and at the deadline."""
    try:
        return lines.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


def _used(looks: Mapping[str, Watched], said: Mapping[str, Any], scenario: Scenario) -> dict[str, float]:
    """Shares of a core while the client opened, or measured; and what that was for each handshake or message."""
    handshakes = _between(looks["before"], looks["opened"])
    grown = looks["settled"].server.resident_bytes - looks["before"].server.resident_bytes
    used = {
        "handshake_us": handshakes["server_seconds"] / scenario.connections * 1e6,
        "kib_per_connection": grown / scenario.connections / 1024,
    }
    if scenario.kind == "storm":
        return used | _shares(handshakes)
    talk = _between(looks["measuring"], looks["measured"])
    messages = said["messages_per_second"] * talk["seconds"]
    if messages:
        used |= {f"{who}_us": talk[f"{who}_seconds"] / messages * 1e6 for who in ("server", "redis")}
    return used | _shares(talk)


def _between(first: Watched, last: Watched) -> dict[str, float]:
    return {
        "seconds": max(last.at - first.at, 1e-6),
        "server_seconds": last.server.processor_seconds - first.server.processor_seconds,
        "redis_seconds": last.redis.processor_seconds - first.redis.processor_seconds,
    }


def _shares(spent: Mapping[str, float]) -> dict[str, float]:
    return {f"{who}_cpu": spent[f"{who}_seconds"] / spent["seconds"] for who in ("server", "redis")}
