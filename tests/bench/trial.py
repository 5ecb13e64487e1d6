"""One server, one scenario: everything is started afresh, measured once, and ended."""

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tests.bench.scenarios import Scenario
from tests.bench.servers import Place, Server

SAMPLE_SECONDS = 0.1
OPENING_SECONDS = 60.0
WARMUP_SECONDS = 1.0
AFTERWARDS_SECONDS = 10.0


@dataclass(frozen=True)
class Conditions:
    """What is the same for every trial of a run; `seconds` is the time measured, after a warm-up."""

    client: Path
    seconds: float
    redis_core: int
    logs: Path
    bridge_command: str
    node_directory: Path | None


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
        redis_log = conditions.logs / f"{name}-redis.log"
        redis_pid, redis_url = stack.enter_context(running_redis(conditions.redis_core, redis_log))
        place = Place(free_port(), free_port(), redis_url, conditions.bridge_command, conditions.node_directory)
        launch = server.launch(place)
        log = conditions.logs / f"{name}.log"
        pid = stack.enter_context(running(launch.command, place.port, SERVER_CORE, log, launch.environment))
        command = _client_command(conditions, scenario, launch.dialect, place.port, launch.path)
        return _watch_client(command, conditions.seconds, pid, redis_pid, scenario.connections)


def _client_command(conditions: Conditions, scenario: Scenario, dialect: str, port: int, path: str | None) -> list[str]:
    values = {
        "dialect": dialect,
        "port": port,
        "path": path,
        "groups": scenario.groups,
        "per-group": scenario.per_group,
        "window": scenario.window,
        "senders": scenario.senders,
        "warmup": WARMUP_SECONDS,
        "seconds": conditions.seconds,
        "patience": OPENING_SECONDS,
    }
    return [str(conditions.client), *(f"--{key}={value}" for key, value in values.items() if value is not None)]


def _watch_client(command: Sequence[str], seconds: float, pid: int, redis_pid: int, connections: int) -> dict[str, Any]:
    looks = [_look(pid, redis_pid)]
    with subprocess.Popen(
        pinned(command, CLIENT_CORE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        deadline = time.monotonic() + OPENING_SECONDS + WARMUP_SECONDS + seconds + AFTERWARDS_SECONDS
        while client.poll() is None and time.monotonic() < deadline:
            looks.append(_look(pid, redis_pid))
            time.sleep(SAMPLE_SECONDS)
        client.kill()  # nothing to do where it has ended
        printed, complaint = client.communicate()
    if not printed:
        return {"failed": complaint.strip() or "the load client did not end in time"}
    numbers: dict[str, Any] = json.loads(printed)
    return numbers | _used(looks, seconds, connections) | {"complaint": complaint.strip()}


def _look(pid: int, redis_pid: int) -> Watched:
    return Watched(time.monotonic(), usage(pid), usage(redis_pid))


def _used(looks: Sequence[Watched], seconds: float, connections: int) -> dict[str, float]:
    """Shares of a core over the last `seconds`, which is when the client measured, and memory since before it came."""
    last = looks[-1]
    first = next(look for look in looks if look.at >= last.at - seconds)
    elapsed = max(last.at - first.at, SAMPLE_SECONDS)
    return {
        "server_cpu": (last.server.processor_seconds - first.server.processor_seconds) / elapsed,
        "redis_cpu": (last.redis.processor_seconds - first.redis.processor_seconds) / elapsed,
        "bytes_per_connection": (last.server.resident_bytes - looks[0].server.resident_bytes) / connections,
    }
