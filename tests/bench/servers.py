"""How each server is started, and which words the load client speaks to it. Starts nothing itself."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
BRIDGE_COMMAND = shlex.join([sys.executable, "-c", "from bridge.command_line import main; main()"])


@dataclass(frozen=True)
class Place:
    """Where a server is to run. `spare_port`: what it must listen on besides; `node_directory` holds node_modules."""

    port: int
    spare_port: int
    redis_url: str
    bridge_command: str = BRIDGE_COMMAND
    node_directory: Path | None = None


@dataclass(frozen=True)
class Launch:
    """A command line and its environment; `path` only where the dialect has no path of its own."""

    command: list[str]
    dialect: str
    path: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    title: str
    launch: Callable[[Place], Launch]


def _bridge(place: Place) -> Launch:
    serve = ["serve", "--port", str(place.port), "--redis", place.redis_url]
    environment = {"BRIDGE_MESSAGES_PER_SECOND": "0"}
    return Launch(shlex.split(place.bridge_command) + serve, "v3", environment=environment)


def _nats(place: Place) -> Launch:
    ports = {"NATS_PORT": str(place.spare_port), "NATS_WEBSOCKET_PORT": str(place.port)}
    return Launch(["nats-server", "-c", str(PEERS / "nats.conf")], "nats", environment=ports)


def _socketio(place: Place) -> Launch:
    environment = {
        "PORT": str(place.port),
        "REDIS_URL": place.redis_url,
        "NODE_ENV": "production",
        "NODE_PATH": f"{place.node_directory}/node_modules",
    }
    return Launch(["node", str(PEERS / "socketio" / "server.js")], "socketio", environment=environment)


def _usual_fastapi(place: Place) -> Launch:
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS), "--log-level", "warning"]
    command = [*uvicorn, "--port", str(place.port), "usual_fastapi:app"]
    return Launch(command, "raw", path="/ws/{group}/{client}", environment={"REDIS_URL": place.redis_url})


ALL: Mapping[str, Server] = {
    "bridge": Server("Aether Bridge", _bridge),
    "nats": Server("NATS server (Go) websocket", _nats),
    "socketio": Server("Socket.IO + Redis adapter (Node)", _socketio),
    "fastapi": Server("usual FastAPI + Redis", _usual_fastapi),
}
